import Glibc

/// Sees the lines in a stream that passes through, keeping no more than a bounded part of each.
struct LineObserver {
  private let lineBytesMax: Int
  /// The beginning of a line whose end has not come yet.
  private var kept: [UInt8] = []
  private var isCut = false

  /// - Parameter lineBytesMax: bytes of a line beyond which only its beginning is seen.
  init(lineBytesMax: Int = 1 << 20) {
    self.lineBytesMax = lineBytesMax
  }

  /// Calls `body` for each line that ends in `chunk`, without its LF; `isWhole` is false if only
  /// its beginning is given.
  mutating func observe(
    _ chunk: UnsafeRawBufferPointer,
    _ body: (_ line: UnsafeRawBufferPointer, _ isWhole: Bool) -> Void
  ) {
    var start = 0
    while let base = chunk.baseAddress, start < chunk.count,
      let found = memchr(base + start, 0x0A, chunk.count - start)
    {
      let end = UnsafeRawPointer(found) - base
      let piece = UnsafeRawBufferPointer(rebasing: chunk[start..<end])
      if kept.isEmpty, piece.count <= lineBytesMax {
        body(piece, true)
      } else {
        keep(piece)
        finish(body)
      }
      start = end + 1
    }
    keep(UnsafeRawBufferPointer(rebasing: chunk[start...]))
  }

  /// The stream has ended: a last line without LF counts.
  mutating func finish(_ body: (_ line: UnsafeRawBufferPointer, _ isWhole: Bool) -> Void) {
    if !kept.isEmpty { kept.withUnsafeBytes { body($0, !isCut) } }
    kept.removeAll(keepingCapacity: true)
    isCut = false
  }

  private mutating func keep(_ piece: UnsafeRawBufferPointer) {
    let room = lineBytesMax - kept.count
    if piece.count > room { isCut = true }
    kept.append(contentsOf: piece.prefix(room))
  }
}
