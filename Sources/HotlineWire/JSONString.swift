import Glibc
package import HotlineCore

/// The contents of a JSON string between its quotes: offsets into the document that held it.
///
/// Comes from ``JSONScanner``, which has validated the bytes; the functions here must be given the
/// same document. Any thread.
package struct JSONText: Hashable, Sendable {
  package var contents: Range<Int>
  package var hasEscapes: Bool

  /// Whether the decoded contents are exactly the ASCII `name`.
  @inline(__always)
  package func equals(_ name: StaticString, in bytes: UnsafeRawBufferPointer) -> Bool {
    guard !hasEscapes else { return decodedStarts(with: name, andEnds: true, in: bytes) }
    return contents.count == name.utf8CodeUnitCount && plainStarts(with: name, in: bytes)
  }

  /// Whether the decoded contents begin with the ASCII `prefix`.
  @inline(__always)
  package func starts(with prefix: StaticString, in bytes: UnsafeRawBufferPointer) -> Bool {
    guard !hasEscapes else { return decodedStarts(with: prefix, andEnds: false, in: bytes) }
    return contents.count >= prefix.utf8CodeUnitCount && plainStarts(with: prefix, in: bytes)
  }

  @inline(__always)
  private func plainStarts(with prefix: StaticString, in bytes: UnsafeRawBufferPointer) -> Bool {
    let start = UnsafeRawBufferPointer(rebasing: bytes[contents])
    guard let base = start.baseAddress else { return prefix.utf8CodeUnitCount == 0 }
    return memcmp(base, prefix.utf8Start, prefix.utf8CodeUnitCount) == 0
  }

  private func decodedStarts(
    with prefix: StaticString, andEnds: Bool, in bytes: UnsafeRawBufferPointer
  ) -> Bool {
    var decoder = JSONStringDecoder(self, in: bytes)
    for index in 0..<prefix.utf8CodeUnitCount
    where decoder.next() != prefix.utf8Start[index] { return false }
    return !andEnds || decoder.next() == nil
  }

  /// The contents with escapes resolved.
  ///
  /// A lone surrogate becomes its three bytes of generalised UTF-8, so that no two different texts
  /// decode to the same bytes. Never longer than the contents.
  package func decoded(in bytes: UnsafeRawBufferPointer) -> ByteString {
    guard hasEscapes else { return ByteString(UnsafeRawBufferPointer(rebasing: bytes[contents])) }
    var decoder = JSONStringDecoder(self, in: bytes)
    var result: [UInt8] = []
    result.reserveCapacity(contents.count)
    while let byte = decoder.next() { result.append(byte) }
    return ByteString(result)
  }
}

/// Yields the decoded bytes of a validated string one by one.
struct JSONStringDecoder {
  private let bytes: UnsafeRawBufferPointer
  private var position: Int
  private let end: Int
  /// Bytes of an escape that are still to be yielded, the next one lowest.
  private var pending: UInt32 = 0
  private var pendingCount = 0

  init(_ text: JSONText, in bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    self.position = text.contents.lowerBound
    self.end = text.contents.upperBound
  }

  mutating func next() -> UInt8? {
    if pendingCount > 0 {
      let byte = UInt8(truncatingIfNeeded: pending)
      pending &>>= 8
      pendingCount &-= 1
      return byte
    }
    guard position < end else { return nil }
    let byte = bytes[position]
    position &+= 1
    guard byte == UInt8(ascii: "\\"), position < end else { return byte }
    let letter = bytes[position]
    position &+= 1
    switch letter {
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "n"): return 0x0A
    case UInt8(ascii: "f"): return 0x0C
    case UInt8(ascii: "r"): return 0x0D
    case UInt8(ascii: "u"): return unicodeEscape()
    default: return letter
    }
  }

  /// The first byte of the character whose `\u` has been read; the others become pending.
  private mutating func unicodeEscape() -> UInt8 {
    var scalar = fourHexDigits(at: position)
    position &+= 4
    if scalar & 0xFC00 == 0xD800, position &+ 6 <= end, bytes[position] == UInt8(ascii: "\\"),
      bytes[position &+ 1] == UInt8(ascii: "u")
    {
      let low = fourHexDigits(at: position &+ 2)
      if low & 0xFC00 == 0xDC00 {
        scalar = 0x10000 &+ (scalar & 0x3FF) &<< 10 &+ low & 0x3FF
        position &+= 6
      }
    }
    return startSequence(scalar)
  }

  private func fourHexDigits(at offset: Int) -> UInt32 {
    var value: UInt32 = 0
    for at in offset..<(offset &+ 4) where at < end {
      value = value &<< 4 | UInt32(JSONWord.hexValue(bytes[at]) ?? 0)
    }
    return value
  }

  private mutating func startSequence(_ scalar: UInt32) -> UInt8 {
    if scalar < 0x80 { return UInt8(truncatingIfNeeded: scalar) }
    let last = 0x80 | scalar & 0x3F
    if scalar < 0x800 {
      pending = last
      pendingCount = 1
      return UInt8(truncatingIfNeeded: 0xC0 | scalar &>> 6)
    }
    let beforeLast = 0x80 | scalar &>> 6 & 0x3F
    if scalar < 0x10000 {
      pending = beforeLast | last &<< 8
      pendingCount = 2
      return UInt8(truncatingIfNeeded: 0xE0 | scalar &>> 12)
    }
    pending = (0x80 | scalar &>> 12 & 0x3F) | beforeLast &<< 8 | last &<< 16
    pendingCount = 3
    return UInt8(truncatingIfNeeded: 0xF0 | scalar &>> 18)
  }
}

/// Writes JSON string literals.
package enum JSONString {
  /// Appends `text` as a string literal with its quotes.
  ///
  /// Escaped are `"`, `\`, bytes below 0x20 and DEL; all other UTF-8 stands for itself. A surrogate
  /// in generalised UTF-8, as ``JSONText/decoded(in:)`` makes it, becomes its escape again; what
  /// else is ill-formed becomes U+FFFD as `String(decoding:as:)` would have it. Any thread.
  package static func append(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    var at = 0
    while at < text.count {
      let plainStart = at
      while at < text.count, JSONWord.isPlain(text[at]), text[at] != 0x7F { at &+= 1 }
      out.append(contentsOf: text[plainStart..<at])
      if at < text.count { at &+= appendSpecial(text, at: at, to: &out) }
    }
    out.append(UInt8(ascii: "\""))
  }

  package static func append(_ text: [UInt8], to out: inout [UInt8]) {
    text.withUnsafeBytes { append($0, to: &out) }
  }

  package static func append(_ text: String, to out: inout [UInt8]) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0), to: &out) }
  }

  /// A text as a JSON string, quotes included.
  package static func spelling(of text: ByteString) -> [UInt8] {
    var spelling: [UInt8] = []
    append(text.bytes, to: &spelling)
    return spelling
  }

  /// Appends what cannot stand for itself or is not ASCII; returns how many bytes of `text` it was.
  private static func appendSpecial(
    _ text: UnsafeRawBufferPointer, at offset: Int, to out: inout [UInt8]
  ) -> Int {
    let byte = text[offset]
    guard byte >= 0x80 else {
      appendEscape(byte, to: &out)
      return 1
    }
    let length = UTF8Sequence.multibyteLength(in: text, at: offset)
    if length > 0 {
      out.append(contentsOf: text[offset..<(offset &+ length)])
      return length
    }
    if byte == 0xED, offset &+ 2 < text.count, text[offset &+ 1] & 0xE0 == 0xA0,
      text[offset &+ 2] & 0xC0 == 0x80
    {
      let low = UInt16(text[offset &+ 1] & 0x3F) &<< 6 | UInt16(text[offset &+ 2] & 0x3F)
      appendUnicodeEscape(0xD000 | low, to: &out)
      return 3
    }
    out.append(contentsOf: [0xEF, 0xBF, 0xBD])
    return UTF8Sequence.illFormedLength(in: text, at: offset)
  }

  private static func appendEscape(_ byte: UInt8, to out: inout [UInt8]) {
    let letter: UInt8
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): letter = byte
    case 0x08: letter = UInt8(ascii: "b")
    case 0x09: letter = UInt8(ascii: "t")
    case 0x0A: letter = UInt8(ascii: "n")
    case 0x0C: letter = UInt8(ascii: "f")
    case 0x0D: letter = UInt8(ascii: "r")
    default: return appendUnicodeEscape(UInt16(byte), to: &out)
    }
    out.append(UInt8(ascii: "\\"))
    out.append(letter)
  }

  private static func appendUnicodeEscape(_ unit: UInt16, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "\\"))
    out.append(UInt8(ascii: "u"))
    for shift: UInt16 in [12, 8, 4, 0] {
      let digit = UInt8(truncatingIfNeeded: unit &>> shift) & 0xF
      out.append(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
    }
  }
}
