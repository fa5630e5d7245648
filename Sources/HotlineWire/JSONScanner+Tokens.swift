/// Names, strings, numbers and literals: what stands between the structural characters.
extension JSONScanner {
  @inline(__always)
  mutating func skipWhiteSpace() {
    while position < end {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position &+= 1
      default: return
      }
    }
  }

  @inline(__always)
  func currentByte() throws(JSONError) -> UInt8 {
    guard position < end else { throw JSONError(.documentEnds, at: end) }
    return bytes[position]
  }

  /// Consumes a member's name and its colon.
  @inline(__always)
  mutating func scanName() throws(JSONError) -> JSONText {
    guard try currentByte() == UInt8(ascii: "\"") else {
      throw JSONError(.nameExpected, at: position)
    }
    let name = try scanString()
    skipWhiteSpace()
    guard try currentByte() == UInt8(ascii: ":") else {
      throw JSONError(.colonExpected, at: position)
    }
    position &+= 1
    return name
  }

  /// Consumes the string whose opening quote is at `position`.
  mutating func scanString() throws(JSONError) -> JSONText {
    let start = position &+ 1
    var at = start
    var hasEscapes = false
    while true {
      at = plainEnd(from: at)
      guard at < end else { throw JSONError(.documentEnds, at: end) }
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") { break }
      if byte == UInt8(ascii: "\\") {
        at = try escapeEnd(from: at)
        hasEscapes = true
      } else {
        guard byte >= 0x80 else { throw JSONError(.controlCharacter, at: at) }
        at = try multibyteEnd(from: at)
      }
    }
    position = at &+ 1
    return JSONText(
      contents: Range(uncheckedBounds: (start, at)), hasEscapes: hasEscapes)
  }

  /// Where the run of bytes ends that stand for themselves: ASCII but controls, quote, backslash.
  @inline(__always)
  private func plainEnd(from start: Int) -> Int {
    var at = start
    while at &+ 8 <= end {
      let special = JSONWord.specialBytes(
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
      if special != 0 { return at &+ special.trailingZeroBitCount &>> 3 }
      at &+= 8
    }
    while at < end, JSONWord.isPlain(bytes[at]) { at &+= 1 }
    return at
  }

  /// Consumes a run of non-ASCII characters; such text seldom comes one character at a time.
  @inline(__always)
  private func multibyteEnd(from start: Int) throws(JSONError) -> Int {
    var at = start
    repeat {
      let length = UTF8Sequence.multibyteLength(in: bytes, at: at)
      guard length > 0 else { throw JSONError(.utf8Invalid, at: at) }
      at &+= length
    } while at < end && bytes[at] >= 0x80
    return at
  }

  private func escapeEnd(from backslash: Int) throws(JSONError) -> Int {
    guard backslash &+ 1 < end else { throw JSONError(.documentEnds, at: end) }
    switch bytes[backslash &+ 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
      UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return backslash &+ 2
    case UInt8(ascii: "u"):
      for at in (backslash &+ 2)..<(backslash &+ 6) {
        guard at < end else { throw JSONError(.documentEnds, at: end) }
        guard JSONWord.hexValue(bytes[at]) != nil else {
          throw JSONError(.escapeInvalid, at: backslash)
        }
      }
      return backslash &+ 6
    default:
      throw JSONError(.escapeInvalid, at: backslash)
    }
  }

  /// Consumes a number or a literal.
  mutating func skipScalar() throws(JSONError) {
    switch try currentByte() {
    case UInt8(ascii: "-"), 0x30...0x39: try skipNumber()
    case UInt8(ascii: "t"): try skipLiteral("true")
    case UInt8(ascii: "f"): try skipLiteral("false")
    case UInt8(ascii: "n"): try skipLiteral("null")
    default: throw valueError()
    }
  }

  func valueError() -> JSONError {
    let hasMark =
      position == 0 && end >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF
    if hasMark { return JSONError(.byteOrderMark, at: 0) }
    switch bytes[position] {
    case UInt8(ascii: "+"), UInt8(ascii: "."): return JSONError(.numberInvalid, at: position)
    case 0x41...0x5A, 0x61...0x7A: return JSONError(.literalInvalid, at: position)
    default: return JSONError(.valueExpected, at: position)
    }
  }

  private mutating func skipLiteral(_ literal: StaticString) throws(JSONError) {
    let start = position
    for index in 0..<literal.utf8CodeUnitCount {
      let at = start &+ index
      guard at < end else { throw JSONError(.documentEnds, at: end) }
      guard bytes[at] == literal.utf8Start[index] else {
        throw JSONError(.literalInvalid, at: start)
      }
    }
    position = start &+ literal.utf8CodeUnitCount
  }

  private mutating func skipNumber() throws(JSONError) {
    let start = position
    if bytes[position] == UInt8(ascii: "-") { position &+= 1 }
    let first = try currentByte()
    try skipDigits(of: start)
    if first == UInt8(ascii: "0"), position > start &+ (first == bytes[start] ? 1 : 2) {
      throw JSONError(.numberInvalid, at: start)
    }
    if position < end, bytes[position] == UInt8(ascii: ".") {
      position &+= 1
      try skipDigits(of: start)
    }
    if position < end, bytes[position] | 0x20 == UInt8(ascii: "e") {
      position &+= 1
      let sign = try currentByte()
      if sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position &+= 1 }
      try skipDigits(of: start)
    }
  }

  /// Consumes at least one digit.
  @inline(__always)
  private mutating func skipDigits(of numberStart: Int) throws(JSONError) {
    let start = position
    while position < end, bytes[position] &- 0x30 < 10 { position &+= 1 }
    guard position > start else {
      throw position == end
        ? JSONError(.documentEnds, at: end) : JSONError(.numberInvalid, at: numberStart)
    }
  }
}

/// Tests on one byte, or on eight at once as in "Bit Twiddling Hacks" (S. E. Anderson).
enum JSONWord {
  /// High bit set in each byte that may not be passed over in a string; the lowest one set is
  /// exact, higher ones may be false because of a borrow.
  @inline(__always)
  static func specialBytes(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quote = word ^ (ones &* 0x22)
    let backslash = word ^ (ones &* 0x5C)
    let below = (word &- ones &* 0x20) | (quote &- ones) | (backslash &- ones)
    // A borrow out of a byte needs a hit in it or below; a byte of 0x80 and more is a hit itself.
    return (below | word) & (ones &* 0x80)
  }

  @inline(__always)
  static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte < 0x80 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }

  @inline(__always)
  static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte &- 0x30
    case 0x41...0x46: byte &- 0x37
    case 0x61...0x66: byte &- 0x57
    default: nil
    }
  }
}
