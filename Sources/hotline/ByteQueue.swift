/// Bytes that are added behind and taken from the front, in one piece.
struct ByteQueue {
  private var storage: [UInt8] = []
  private var start = 0

  var count: Int { storage.count - start }
  var isEmpty: Bool { storage.count == start }
  var last: UInt8? { isEmpty ? nil : storage.last }

  mutating func append(_ bytes: some Collection<UInt8>) { storage.append(contentsOf: bytes) }

  func withUnread<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    storage.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start...])) }
  }

  /// Drops what has been dealt with.
  mutating func drop(_ byteCount: Int) {
    start += min(byteCount, count)
    if start == storage.count {
      storage.removeAll(keepingCapacity: true)
      start = 0
    } else if start > 1 << 16, start > storage.count / 2 {
      // Moves fewer bytes than have been dropped since the last time.
      storage.removeFirst(start)
      start = 0
    }
  }

  mutating func removeAll() { drop(count) }
}
