import TestSupport

/// Random JSON documents, and documents that are nearly JSON.
struct JSONGenerator {
  var random: SplitMix64
  private var out: [UInt8] = []

  init(seed: UInt64) {
    random = SplitMix64(seed: seed)
  }

  /// A document that is valid by construction, at most `depth` containers deep.
  mutating func valid(depth: Int = 4) -> [UInt8] {
    out.removeAll(keepingCapacity: true)
    value(depth: depth)
    return out
  }

  /// White space as it may stand between tokens, mostly none.
  mutating func space() -> [UInt8] {
    out.removeAll(keepingCapacity: true)
    addSpace()
    return out
  }

  /// A valid document with a few bytes changed; it may still be valid.
  mutating func mutated(depth: Int = 3) -> [UInt8] {
    var document = valid(depth: depth)
    for _ in 0...random.below(3) { mutate(&document) }
    return document
  }

  mutating func mutate(_ document: inout [UInt8]) {
    guard !document.isEmpty else { return document.append(interestingByte()) }
    let at = random.below(document.count)
    switch random.below(7) {
    case 0: document[at] = interestingByte()
    case 1: document.insert(interestingByte(), at: at)
    case 2: document.remove(at: at)
    case 3: document[at] ^= 1 << UInt8(random.below(8))
    case 4: document.removeSubrange(at...)
    case 5: document.insert(contentsOf: Self.pieces[random.below(Self.pieces.count)], at: at)
    default: document.swapAt(at, random.below(document.count))
    }
  }

  private mutating func interestingByte() -> UInt8 {
    random.oneIn(4) ? UInt8(random.below(256)) : Self.interesting[random.below(42)]
  }

  private mutating func value(depth: Int) {
    addSpace()
    switch random.below(depth > 0 ? 10 : 6) {
    case 0: out.append(contentsOf: Self.literals[random.below(3)])
    case 1, 2: number()
    case 3, 4, 5: string()
    case 6, 7: container("[", "]", depth: depth, isObject: false)
    default: container("{", "}", depth: depth, isObject: true)
    }
    addSpace()
  }

  private mutating func container(
    _ opening: Unicode.Scalar, _ closing: Unicode.Scalar, depth: Int, isObject: Bool
  ) {
    out.append(UInt8(ascii: opening))
    addSpace()
    let count = random.below(4)
    var names: [[UInt8]] = []
    for index in 0..<count {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      if isObject {
        addSpace()
        name(among: &names)
        addSpace()
        out.append(UInt8(ascii: ":"))
      }
      value(depth: depth - 1)
    }
    out.append(UInt8(ascii: closing))
  }

  /// A new name, or now and then one that the object has already.
  private mutating func name(among names: inout [[UInt8]]) {
    if !names.isEmpty, random.oneIn(6) { return out.append(contentsOf: random.pick(names)) }
    let start = out.count
    string()
    names.append(Array(out[start...]))
  }

  private mutating func addSpace() {
    while random.oneIn(6) { out.append([0x20, 0x09, 0x0A, 0x0D][random.below(4)]) }
  }

  private mutating func number() {
    if random.oneIn(3) { out.append(UInt8(ascii: "-")) }
    if random.oneIn(4) {
      out.append(0x30)
    } else {
      out.append(0x31 + UInt8(random.below(9)))
      digits(random.below(random.oneIn(10) ? 25 : 4))
    }
    if random.oneIn(3) {
      out.append(UInt8(ascii: "."))
      digits(1 + random.below(4))
    }
    if random.oneIn(4) {
      out.append(UInt8(ascii: random.oneIn(2) ? "e" : "E"))
      if random.oneIn(2) { out.append(UInt8(ascii: random.oneIn(2) ? "+" : "-")) }
      digits(1 + random.below(random.oneIn(20) ? 4 : 2))
    }
  }

  private mutating func digits(_ count: Int) {
    for _ in 0..<count { out.append(0x30 + UInt8(random.below(10))) }
  }

  private mutating func string() {
    out.append(UInt8(ascii: "\""))
    for _ in 0..<random.below(random.oneIn(8) ? 40 : 6) {
      switch random.below(8) {
      case 0: out.append(contentsOf: Self.escapes[random.below(Self.escapes.count)])
      case 1: out.append(contentsOf: Self.characters[random.below(Self.characters.count)])
      default: out.append(0x61 + UInt8(random.below(26)))
      }
    }
    out.append(UInt8(ascii: "\""))
  }

  private static let literals = ["true", "false", "null"].map { Array($0.utf8) }
  private static let interesting = Array("\"\"\"\\\\{}[]::,,truefalsn 0123456789+-.eE/ub\n\t".utf8)
  private static let escapes = [
    #"\""#, #"\\"#, #"\/"#, #"\b"#, #"\f"#, #"\n"#, #"\r"#, #"\t"#, #"\u0000"#, #"\u00e9"#,
    #"\u20AC"#, #"\ud83d\ude00"#, #"\uD834\uDD1E"#, #"\uffff"#, #"\u007f"#,
  ].map { Array($0.utf8) }
  private static let characters = [
    "\u{7f}", "\u{80}", "é", "\u{7ff}", "\u{800}", "€", "\u{d7ff}", "\u{e000}", "\u{ffff}",
    "\u{10000}", "😀", "\u{10ffff}", "\u{2028}", "漢字", "e\u{301}",
  ].map { Array($0.utf8) }
  private static let pieces: [[UInt8]] = [
    Array(#"\ud800"#.utf8), Array(#"\udc00"#.utf8), Array(#"\u12"#.utf8), Array("1e999".utf8),
    Array("//".utf8), Array("NaN".utf8), Array("\"\"".utf8), Array("[]".utf8), Array("{}".utf8),
    [0xEF, 0xBB, 0xBF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82],
    [0x00], [0x1F], [0x0B], [0xFF], [0xFE, 0xFF], [0xC2, 0x85], [0xC2, 0xA0],
  ]
}
