import DequeModule

/// How many of the bytes that wait unread at a client are the daemon's own lines.
///
/// Bytes leave in the order they were written, so it is enough to remember where in the stream the
/// own lines stand.
struct OwnLines {
  /// Length of everything written so far.
  var bytesWritten = 0
  private var segments: Deque<Range<Int>> = []
  private var bytesInSegments = 0

  /// None is known to be unread.
  var isEmpty: Bool { bytesInSegments == 0 }

  /// A line of `count` bytes that ends at `end` is the daemon's own.
  mutating func wrote(_ count: Int, at end: Int) {
    bytesInSegments += count
    if let last = segments.last, last.upperBound == end - count {
      segments[segments.count - 1] = last.lowerBound..<end
    } else {
      segments.append((end - count)..<end)
    }
  }

  /// Cheap first look: whether as many own bytes were written since all was last read.
  func mayExceed(_ limit: Int) -> Bool { bytesInSegments >= limit }

  /// Own bytes among the last `unreadBytes` that were written.
  mutating func unread(unreadBytes: Int) -> Int {
    forgetRead(unreadBytes: unreadBytes)
    let read = bytesWritten - unreadBytes
    guard let first = segments.first, first.lowerBound < read else { return bytesInSegments }
    return bytesInSegments - (read - first.lowerBound)
  }

  /// Lets go of what stands before the last `unreadBytes`.
  mutating func forgetRead(unreadBytes: Int) {
    guard !isEmpty else { return }
    let read = bytesWritten - unreadBytes
    while let first = segments.first, first.upperBound <= read {
      bytesInSegments -= first.count
      segments.removeFirst()
    }
    if segments.isEmpty { segments = [] }
  }
}
