/// Where each key of a TOML document stands: what the parser does not tell.
///
/// It follows strings, comments and brackets just far enough to find statements; whether the
/// document is valid is the parser's to say, but for some mistakes at which its assertions would
/// end the process.
struct TOMLOutline {
  /// A header, or a key with its value.
  struct Statement {
    var path: [String]
    var isHeader: Bool
    /// `[[…]]`, which may stand any number of times.
    var isArrayHeader: Bool
    var line: Int
    /// Everything from the first byte of the key to before the line feed that ends it.
    var range: Range<Int>
    /// What stands right of the `=`; empty for a header.
    var value: Range<Int>
  }

  /// A mistake that the parser would answer with an abort.
  struct Trap: Hashable {
    enum Kind {
      case headerWithoutKey
      /// Each dot is a table in a table, and the parser walks them recursively.
      case tooManyParts
      /// No value, or an array's, where one has to be.
      case missingValue
      /// No key takes a date or time, and half of one is what the parser asserts there is not.
      case date
    }
    var kind: Kind
    var line: Int
  }

  private(set) var statements: [Statement] = []
  /// What must not reach the parser.
  private(set) var trap: Trap?
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    var table: [String] = []
    while skipToStatement() {
      let start = position
      let startLine = line
      var isArrayHeader = false
      let isHeader = bytes[start] == UInt8(ascii: "[")
      if isHeader {
        position += 1
        isArrayHeader = take(UInt8(ascii: "["))
      }
      let path = dottedKey()
      if path.count > Schema.keyPartsMax { noteTrap(.tooManyParts) }
      if isHeader, path.isEmpty { noteTrap(.headerWithoutKey) }
      if isHeader { table = path }
      var value: Range<Int>? = isHeader ? start..<start : nil
      if !isHeader, take(UInt8(ascii: "=")) {
        let valueStart = position
        skipValue()
        value = valueStart..<position
      } else {
        skipLine()
      }
      // A line without `=` is no statement, and what stands in it may be half of a value.
      if !path.isEmpty, let value {
        statements.append(
          Statement(
            path: isHeader ? path : table + path, isHeader: isHeader,
            isArrayHeader: isArrayHeader, line: startLine, range: start..<position, value: value))
      }
    }
  }

  static func isBareKeyCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
    default: false
    }
  }

  /// Line of the key, or of the nearest table around it.
  func line(of path: [String]) -> Int? {
    var path = path[...]
    while !path.isEmpty {
      if let found = statements.first(where: { $0.path[...] == path }) { return found.line }
      path = path.dropLast()
    }
    return nil
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard current == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipBlanks() {
    while let byte = current, byte == 0x20 || byte == 0x09 { position += 1 }
  }

  /// To before the next line feed.
  private mutating func skipLine() {
    while let byte = current, byte != 0x0A { position += 1 }
  }

  /// To the next byte that is neither white space nor in a comment; false at the end.
  private mutating func skipToStatement() -> Bool {
    while let byte = current {
      switch byte {
      case 0x0A:
        line += 1
        position += 1
      case 0x20, 0x09, 0x0D: position += 1
      case UInt8(ascii: "#"): skipLine()
      default: return true
      }
    }
    return false
  }

  /// `a."b".'c'`; empty where none begins here.
  private mutating func dottedKey() -> [String] {
    var parts: [String] = []
    repeat {
      skipBlanks()
      guard let part = simpleKey() else { return parts }
      parts.append(part)
      skipBlanks()
    } while take(UInt8(ascii: "."))
    return parts
  }

  private mutating func simpleKey() -> String? {
    guard let first = current else { return nil }
    let start = position
    if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") {
      skipString()
      // A key with an escape in it keeps its spelling: it is none of ours either way.
      return String(decoding: bytes[start..<position].dropFirst().dropLast(), as: UTF8.self)
    }
    while let byte = current, Self.isBareKeyCharacter(byte) { position += 1 }
    return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
  }

  /// To before the line feed that ends the statement: one outside of strings and brackets.
  private mutating func skipValue() {
    var depth = 0
    /// What the value, or the next one in an array or inline table, is to follow.
    var last: UInt8? = UInt8(ascii: "=")
    while let byte = current {
      switch byte {
      case 0x20, 0x09, 0x0D:
        position += 1
        continue
      case 0x0A, UInt8(ascii: "#"):
        if last == UInt8(ascii: "=") { noteTrap(.missingValue) }
        if byte == UInt8(ascii: "#") {
          skipLine()
          continue
        }
        if depth <= 0 { return }
        line += 1
        position += 1
        continue
      case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"):
        // An array may end after a comma and be empty; whether a brace may, the parser knows.
        let isFirst = last == UInt8(ascii: "=") || depth <= 0
        if isFirst || (byte == UInt8(ascii: "}") && last != nil) { noteTrap(.missingValue) }
        if byte != UInt8(ascii: ",") { depth -= 1 }
      case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        skipString()
        last = nil
        continue
      case 0x30...0x39:
        skipNumber()
        last = nil
        continue
      default: break
      }
      position += 1
      let isOpening = byte == UInt8(ascii: "[") || byte == UInt8(ascii: ",")
      last = isOpening || byte == UInt8(ascii: "=") ? byte : nil
    }
    if last == UInt8(ascii: "=") { noteTrap(.missingValue) }
  }

  private mutating func noteTrap(_ kind: Trap.Kind) {
    if trap == nil { trap = Trap(kind: kind, line: line) }
  }

  /// A number, and the letters after it; a colon or a hyphen right after a digit makes it a date or
  /// time (`1e-5` has its hyphen after a letter).
  private mutating func skipNumber() {
    let startsToken = position == 0 || !Self.isBareKeyCharacter(bytes[position - 1])
    var previous: UInt8 = 0
    while let byte = current, Self.isBareKeyCharacter(byte) || byte == UInt8(ascii: ":") {
      let joins = byte == UInt8(ascii: ":") || byte == UInt8(ascii: "-")
      if startsToken, joins, 0x30...0x39 ~= previous { noteTrap(.date) }
      previous = byte
      position += 1
    }
  }

  /// One string of any of the four kinds; one on a single line ends there at the latest.
  private mutating func skipString() {
    guard let quote = current else { return }
    let isMultiline = bytes[position...].starts(with: [quote, quote, quote])
    position += isMultiline ? 3 : 1
    while let byte = current {
      if byte == 0x0A {
        guard isMultiline else { return }
        line += 1
      }
      if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        // The escaped byte is no quote; a line feed after a backslash is counted in its own turn.
        position += position + 1 < bytes.count && bytes[position + 1] != 0x0A ? 2 : 1
        continue
      }
      position += 1
      guard byte == quote else { continue }
      if !isMultiline { return }
      guard bytes[(position - 1)...].starts(with: [quote, quote, quote]) else { continue }
      position += 2
      // Up to two quotes may stand right before the closing three (TOML 1.0.0, String).
      while current == quote { position += 1 }
      return
    }
  }
}
