import HotlineWire

/// Cuts what the daemon has sent into lines.
struct LineReader {
  /// What has been received and not been read.
  var unread = ByteQueue()
  private var framer: LineFramer
  private let lineBytesMax: Int

  init(lineBytesMax: Int) {
    self.lineBytesMax = lineBytesMax
    framer = LineFramer(lineBytesMax: lineBytesMax)
  }

  /// Hands the next whole line to `body` and drops it; nil if there is none.
  ///
  /// - Throws: what `body` throws, and `.failed` for a line over the limit.
  mutating func next<Result>(
    _ body: (UnsafeRawBufferPointer) throws(CommandFailure) -> Result
  ) throws(CommandFailure) -> Result? {
    while true {
      switch unread.withUnread({ framer.next(in: $0) }) {
      case .needMore: return nil
      case .discard(let consumed): unread.drop(consumed)
      case .tooLong:
        throw CommandFailure(
          .failed, "hotlined sent a line of more than \(lineBytesMax) bytes; use \"hotline send\"")
      case .line(let range, let consumed):
        let result = unread.withUnread { bytes -> Swift.Result<Result, CommandFailure> in
          do throws(CommandFailure) {
            return .success(try body(UnsafeRawBufferPointer(rebasing: bytes[range])))
          } catch {
            return .failure(error)
          }
        }
        unread.drop(consumed)
        return try result.get()
      }
    }
  }
}
