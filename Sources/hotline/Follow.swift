import Glibc

/// One line to the daemon, and whatever it says from then on, until it closes or nobody reads what
/// is printed any more.
struct Follow {
  /// Bytes that wait for standard output before the daemon is read on.
  private static let outputBytesMax = 1 << 16

  private let socket: DaemonSocket
  private var outgoing = ByteQueue()
  private var lines = LineReader(lineBytesMax: Question.lineBytesMax)
  private var output = OutputWriter()

  init(_ socket: DaemonSocket, _ line: [UInt8]) {
    self.socket = socket
    outgoing.append(line)
  }

  /// - Parameter print: what is printed of a line; nothing if it is empty.
  /// - Throws: always, in the end: the daemon's error, `.brokenPipe`, or `.unreachable`.
  mutating func run(_ print: (UnsafeRawBufferPointer, JSONView) -> [UInt8]) throws(CommandFailure) {
    while true {
      var slots = [
        output.slot,
        Polling.slot(
          output.count < Self.outputBytesMax ? socket.descriptor : -1,
          outgoing.isEmpty ? POLLIN : POLLIN | POLLOUT),
      ]
      Polling.wait(for: &slots)
      if slots[0].isBroken { throw CommandFailure(.brokenPipe, nil) }
      if slots[0].isWritable { try output.writeSome() }
      if slots[1].isWritable, !outgoing.isEmpty, !socket.send(&outgoing) { outgoing.removeAll() }
      guard slots[1].isReadable else { continue }
      let received = socket.receive(into: &lines.unread)
      try readLines(print)
      guard received == .ended else { continue }
      try output.writeAll()
      throw socket.closedByDaemon
    }
  }

  private mutating func readLines(
    _ print: (UnsafeRawBufferPointer, JSONView) -> [UInt8]
  ) throws(CommandFailure) {
    while let text = try lines.next({ line throws(CommandFailure) in try Self.read(line, print) }) {
      output.append(text)
    }
  }

  private static func read(
    _ line: UnsafeRawBufferPointer, _ print: (UnsafeRawBufferPointer, JSONView) -> [UInt8]
  ) throws(CommandFailure) -> [UInt8] {
    let view = try Question.object(line)
    guard view["type"]?.string == "error" else { return print(line, view) }
    let report = FailureReport(errorLine: view)
    throw CommandFailure(report.exitStatus, report.sentence)
  }
}
