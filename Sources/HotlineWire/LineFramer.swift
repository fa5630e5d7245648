import Glibc

/// Finds the lines in what a client has sent, byte by byte at most once.
///
/// The caller keeps the unread bytes in one piece, asks ``next(in:)`` until it gets `.needMore`,
/// drops from the front what each step says is consumed, and asks again after adding more. A line
/// ends with LF or CRLF; lines of white space alone are skipped. Pure value; daemon loop.
package struct LineFramer: Sendable {
  package enum Step: Hashable, Sendable {
    /// A line without its LF or CRLF, as offsets into the unread bytes; drop `consumed` bytes after
    /// it has been read.
    case line(Range<Int>, consumed: Int)
    /// A line is longer than the limit: told once for each, at the first byte too many.
    case tooLong(consumed: Int)
    /// Nothing of interest: blank lines, or the rest of a line that was too long.
    case discard(consumed: Int)
    /// No whole line is there; nothing was consumed.
    case needMore
  }

  /// Bytes of the longest line, without its LF or CRLF; a change holds for what is found from then
  /// on.
  package var lineBytesMax: Int
  /// Bytes at the front of the unread ones that hold no LF.
  private var searchedCount = 0
  /// The rest of a line that was too long is being skipped.
  private var isSkipping = false

  /// - Parameter lineBytesMax: bytes of the longest line, without its LF or CRLF.
  package init(lineBytesMax: Int) {
    self.lineBytesMax = lineBytesMax
  }

  /// The next line or what else is to be done with the unread bytes.
  package mutating func next(in unread: UnsafeRawBufferPointer) -> Step {
    var start = 0
    while let lineFeed = lineFeed(in: unread, from: start &+ searchedCount) {
      searchedCount = 0
      let line = Self.withoutCarriageReturn(start..<lineFeed, in: unread)
      let wasSkipping = isSkipping
      isSkipping = false
      if !wasSkipping {
        if line.count > lineBytesMax { return .tooLong(consumed: lineFeed &+ 1) }
        if !Self.isBlank(line, in: unread) { return .line(line, consumed: lineFeed &+ 1) }
      }
      start = lineFeed &+ 1
    }
    return unfinished(in: unread, from: start)
  }

  /// The caller has dropped the unread bytes of an unfinished line: its rest is skipped too.
  package mutating func skipLine() {
    searchedCount = 0
    isSkipping = true
  }

  /// As ``next(in:)`` when the client has sent its last byte: a last line without LF counts.
  ///
  /// To be asked until it gives `.needMore`, which here means that nothing is left.
  package mutating func finish(in unread: UnsafeRawBufferPointer) -> Step {
    let step = next(in: unread)
    guard step == .needMore, !unread.isEmpty else { return step }
    searchedCount = 0
    let line = Self.withoutCarriageReturn(0..<unread.count, in: unread)
    return Self.isBlank(line, in: unread)
      ? .discard(consumed: unread.count) : .line(line, consumed: unread.count)
  }

  /// No LF at or after `start`.
  private mutating func unfinished(in unread: UnsafeRawBufferPointer, from start: Int) -> Step {
    searchedCount = 0
    if isSkipping {
      return unread.isEmpty ? .needMore : .discard(consumed: unread.count)
    }
    // A CR at the limit may be half of the line's end: too much only if no LF follows it.
    let line = Self.withoutCarriageReturn(start..<unread.count, in: unread)
    if line.count > lineBytesMax {
      isSkipping = true
      return .tooLong(consumed: unread.count)
    }
    searchedCount = unread.count &- start
    return start > 0 ? .discard(consumed: start) : .needMore
  }

  private func lineFeed(in unread: UnsafeRawBufferPointer, from offset: Int) -> Int? {
    guard let base = unread.baseAddress, offset < unread.count,
      let found = memchr(base + offset, 0x0A, unread.count - offset)
    else { return nil }
    return UnsafeRawPointer(found) - base
  }

  private static func withoutCarriageReturn(
    _ line: Range<Int>, in unread: UnsafeRawBufferPointer
  ) -> Range<Int> {
    guard !line.isEmpty, unread[line.upperBound &- 1] == 0x0D else { return line }
    return line.lowerBound..<(line.upperBound &- 1)
  }

  /// Whether the line is nothing but the white space of RFC 8259, 2.
  private static func isBlank(_ line: Range<Int>, in unread: UnsafeRawBufferPointer) -> Bool {
    for at in line {
      let byte = unread[at]
      guard byte == 0x20 || byte == 0x09 || byte == 0x0D else { return false }
    }
    return true
  }
}
