import HotlineCore
import HotlineWire

/// Joins text deltas to UTF-8 text.
///
/// A pair of surrogates whose halves came in two deltas becomes its character; a half without the
/// other becomes U+FFFD. For a terminal, control characters are dropped: what a model writes must
/// not move the cursor, set the title or answer in the user's name.
struct AnswerText {
  private let dropsControls: Bool
  /// The high half of a pair whose low half has not come yet.
  private var highSurrogate: UInt32?
  /// Nothing was written, or the last byte that was is an LF.
  private(set) var endsLine = true

  /// - Parameter dropsControls: leave out C0 but LF and TAB, DEL, and C1.
  init(dropsControls: Bool) {
    self.dropsControls = dropsControls
  }

  /// Appends what one delta adds to the text; a high surrogate at its end waits for the next one.
  mutating func append(
    _ delta: JSONText, in document: UnsafeRawBufferPointer, to out: inout ByteQueue
  ) {
    delta.decoded(in: document).bytes.withUnsafeBytes { append($0, to: &out) }
  }

  /// No more deltas come.
  mutating func finish(to out: inout ByteQueue) {
    endPair(with: nil, to: &out)
  }

  /// `bytes`: UTF-8 in which surrogates that stand alone have three bytes.
  private mutating func append(_ bytes: UnsafeRawBufferPointer, to out: inout ByteQueue) {
    var at = 0
    while at < bytes.count {
      if let unit = Self.surrogate(in: bytes, at: at) {
        surrogateArrived(unit, to: &out)
        at += 3
        continue
      }
      endPair(with: nil, to: &out)
      let start = at
      while at < bytes.count, isPlain(bytes, at: at) { at += 1 }
      write(UnsafeRawBufferPointer(rebasing: bytes[start..<at]), to: &out)
      // Here is the end, a surrogate, or a control character of one byte (C0) or two (C1).
      if at < bytes.count, Self.surrogate(in: bytes, at: at) == nil {
        at += bytes[at] == 0xC2 ? 2 : 1
      }
    }
  }

  private static func surrogate(in bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32? {
    guard bytes[offset] == 0xED, offset + 2 < bytes.count, bytes[offset + 1] >= 0xA0 else {
      return nil
    }
    return 0xD000 | UInt32(bytes[offset + 1] & 0x3F) << 6 | UInt32(bytes[offset + 2] & 0x3F)
  }

  private func isPlain(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    let byte = bytes[offset]
    switch byte {
    case 0xED: return Self.surrogate(in: bytes, at: offset) == nil
    case 0x0A, 0x09: return true
    case 0x00..<0x20, 0x7F: return !dropsControls
    case 0xC2: return !(dropsControls && offset + 1 < bytes.count && bytes[offset + 1] < 0xA0)
    default: return true
    }
  }

  private mutating func surrogateArrived(_ unit: UInt32, to out: inout ByteQueue) {
    if unit < 0xDC00 {
      endPair(with: nil, to: &out)
      highSurrogate = unit
    } else if highSurrogate != nil {
      endPair(with: unit, to: &out)
    } else {
      write(scalar: "\u{FFFD}", to: &out)
    }
  }

  private mutating func endPair(with low: UInt32?, to out: inout ByteQueue) {
    guard let high = highSurrogate else { return }
    highSurrogate = nil
    let value = low.map { 0x10000 + ((high & 0x3FF) << 10) + ($0 & 0x3FF) }
    write(scalar: value.flatMap(Unicode.Scalar.init) ?? "\u{FFFD}", to: &out)
  }

  private mutating func write(scalar: Unicode.Scalar, to out: inout ByteQueue) {
    out.append(Array(String(Character(scalar)).utf8))
    endsLine = false
  }

  private mutating func write(_ bytes: UnsafeRawBufferPointer, to out: inout ByteQueue) {
    guard let last = bytes.last else { return }
    out.append(bytes)
    endsLine = last == 0x0A
  }
}
