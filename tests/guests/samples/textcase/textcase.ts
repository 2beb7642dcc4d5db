// textcase: changes the case of the text on stdin: "upper", "lower" or "title" (the default) as the first argument.
// Example: echo "the quick brown fox" | textcase title   prints "The Quick Brown Fox"

const BLOCK: i32 = 16 * 1024;
const USAGE: string = "usage: textcase [upper|lower|title] < text\n";

function readAll(): string {
  const block = new ArrayBuffer(BLOCK);
  let bytes = new ArrayBuffer(BLOCK);
  let length = 0;
  let count = process.stdin.read(block);
  while (count > 0) {
    if (length + count > bytes.byteLength) {
      // Doubled, so that a long text is not copied again for every block.
      const larger = new ArrayBuffer(2 * bytes.byteLength);
      memory.copy(changetype<usize>(larger), changetype<usize>(bytes), length);
      bytes = larger;
    }
    memory.copy(changetype<usize>(bytes) + length, changetype<usize>(block), count);
    length += count;
    count = process.stdin.read(block);
  }
  return String.UTF8.decodeUnsafe(changetype<usize>(bytes), length);
}

function isSpace(code: i32): bool {
  return code == 0x20 || (code >= 0x09 && code <= 0x0d);
}

/** Puts each word's first letter in upper case and the rest in lower case; white space separates words. */
function title(text: string): string {
  const units = String.UTF16.encode(text.toLowerCase());
  let inWord = false;
  for (let at = 0; at < units.byteLength; at += 2) {
    const address = changetype<usize>(units) + at;
    const code = load<u16>(address);
    if (!inWord) {
      const upper = String.fromCharCode(code).toUpperCase();
      // A letter without a single upper-case one ("ß" would become "SS") stays as it is.
      if (upper.length == 1) store<u16>(address, <u16>upper.charCodeAt(0));
    }
    inWord = !isSpace(code);
  }
  return String.UTF16.decode(units);
}

function run(style: string): i32 {
  const known = style == "upper" || style == "lower" || style == "title";
  if (!known) {
    process.stderr.write("textcase: unknown case `" + style + "`; " + USAGE);
    return 2;
  }
  const text = readAll();
  if (style == "upper") process.stdout.write(text.toUpperCase());
  else if (style == "lower") process.stdout.write(text.toLowerCase());
  else process.stdout.write(title(text));
  return 0;
}

process.exit(run(process.argv.length > 1 ? process.argv[1] : "title"));
