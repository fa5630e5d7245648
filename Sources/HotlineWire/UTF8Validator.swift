/// Checks a text that comes in pieces, and refuses it at the first byte after which it cannot be
/// UTF-8 any more. Any thread.
package struct UTF8Validator {
  /// The beginning of a sequence that the last piece has cut, 3 bytes at most; the lowest byte
  /// came first.
  private var cut: UInt32 = 0
  private var cutBytes = 0

  package init() {}

  /// What was taken ends where a character does.
  package var isAtBoundary: Bool { cutBytes == 0 }

  /// Takes the next piece; `false` if no continuation can make the text UTF-8, and then for good.
  package mutating func append(_ piece: UnsafeRawBufferPointer) -> Bool {
    var rest = piece
    while cutBytes > 0, let byte = rest.first {
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
      guard completeCut(byte) else { return false }
    }
    guard !UTF8Sequence.isValid(rest) else { return true }
    let tail = UTF8Sequence.afterValidPrefix(of: rest)
    return tail.count <= 3 && tail.allSatisfy { takeCut($0) } && UTF8Sequence.isBeginning(tail)
  }

  private mutating func takeCut(_ byte: UInt8) -> Bool {
    cut |= UInt32(byte) << UInt32(cutBytes * 8)
    cutBytes += 1
    return true
  }

  private mutating func completeCut(_ byte: UInt8) -> Bool {
    _ = takeCut(byte)
    let isWhole = withUnsafeBytes(of: cut.littleEndian) { bytes -> Bool? in
      let sequence = UnsafeRawBufferPointer(rebasing: bytes[..<cutBytes])
      if UTF8Sequence.multibyteLength(in: sequence, at: 0) == cutBytes { return true }
      return cutBytes < 4 && UTF8Sequence.isBeginning(sequence) ? false : nil
    }
    if isWhole == true {
      cut = 0
      cutBytes = 0
    }
    return isWhole != nil
  }
}

extension UTF8Sequence {
  /// What follows the longest beginning of `bytes` that is well-formed.
  fileprivate static func afterValidPrefix(
    of bytes: UnsafeRawBufferPointer
  ) -> UnsafeRawBufferPointer {
    var at = 0
    while at < bytes.count {
      let length = bytes[at] < 0x80 ? 1 : multibyteLength(in: bytes, at: at)
      guard length > 0 else { break }
      at += length
    }
    return UnsafeRawBufferPointer(rebasing: bytes[at...])
  }

  /// Whether `bytes`, which are no sequence, begin one of two to four bytes.
  fileprivate static func isBeginning(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let lead = bytes.first, 0xC2...0xF4 ~= lead else { return false }
    return illFormedLength(in: bytes, at: 0) == bytes.count
  }
}
