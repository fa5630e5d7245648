import Glibc
import HotlineWire

/// The lines of an input, with their numbers; blank ones are left out.
struct InputLines {
  struct Line {
    /// The first line of the input is 1.
    var number: Int
    /// Without LF or CRLF.
    var bytes: [UInt8]
    /// It has its LF; the last one may lack it.
    var isWhole: Bool
  }

  let descriptor: Int32
  let name: String
  /// Everything has been read, though perhaps not been taken yet.
  private(set) var isRead = false
  /// Bytes of the whole lines that have been taken, each with its LF.
  private(set) var wholeByteCount = 0
  private var unread = ByteQueue()
  private var framer: LineFramer
  private var linesTaken = 0

  /// - Parameter name: what errors call it.
  init(_ descriptor: Int32, name: String, lineBytesMax: Int = 256 << 20) {
    self.descriptor = descriptor
    self.name = name
    framer = LineFramer(lineBytesMax: lineBytesMax)
  }

  /// Reads a part of what is left, waiting for it if need be.
  ///
  /// - Throws: `.usage` if that cannot be done.
  mutating func read() throws(CommandFailure) {
    isRead = try !InputReader.read(descriptor, into: &unread, byteCount: 1 << 18, name: name)
  }

  /// The next line of what has been read; nil if there is none, or none yet.
  ///
  /// - Throws: `.usage` for a line that is too long.
  mutating func next() throws(CommandFailure) -> Line? {
    while true {
      let isRead = isRead
      let step = unread.withUnread { bytes in
        isRead ? framer.finish(in: bytes) : framer.next(in: bytes)
      }
      switch step {
      case .needMore: return nil
      case .discard(let consumed): drop(consumed)
      case .tooLong:
        throw CommandFailure(.usage, "line \(linesTaken + 1) of \(name) is too long; divide it")
      case .line(let range, let consumed):
        let line = unread.withUnread { unread in
          let blank = Self.lineFeeds(in: unread[..<range.lowerBound])
          return Line(
            number: linesTaken + blank + 1, bytes: Array(unread[range]),
            isWhole: unread[consumed - 1] == 0x0A)
        }
        drop(consumed)
        return line
      }
    }
  }

  /// All lines to the end.
  mutating func forEach(
    _ body: (Line) throws(CommandFailure) -> Void
  ) throws(CommandFailure) {
    while true {
      while let line = try next() { try body(line) }
      guard !isRead else { return }
      try read()
    }
  }

  private mutating func drop(_ byteCount: Int) {
    let (feeds, endsLine) = unread.withUnread { bytes in
      (Self.lineFeeds(in: bytes[..<byteCount]), bytes[byteCount - 1] == 0x0A)
    }
    linesTaken += feeds
    // The last line has none.
    if endsLine { wholeByteCount += byteCount }
    unread.drop(byteCount)
  }

  private static func lineFeeds(in bytes: Slice<UnsafeRawBufferPointer>) -> Int {
    bytes.reduce(0) { $1 == 0x0A ? $0 + 1 : $0 }
  }
}
