import Glibc
import HotlineCore
import HotlineWire

/// One line to the daemon and the one line that answers it.
struct Question {
  /// Its `type`, and that of its answer.
  var type: String
  var answerType: String
  /// Longest wait for the answer; nil waits as long as the daemon is there.
  var timeout: Duration?
  /// Writes the question's other members.
  var members: (inout JSONWriter) -> Void = { _ in }

  /// Bytes of the longest answer.
  static let lineBytesMax = 64 << 20

  /// - Returns: the answer without its LF, and how long it took.
  /// - Throws: the daemon's error, or `.unreachable` if it does not answer.
  func ask(_ socket: DaemonSocket) throws(CommandFailure) -> (line: [UInt8], time: Duration) {
    var outgoing = ByteQueue()
    outgoing.append(
      LocalLine.line { line in
        line.member("type", type)
        members(&line)
      })
    var lines = LineReader(lineBytesMax: Self.lineBytesMax)
    let start = MonotonicInstant.current()
    while true {
      let events = outgoing.isEmpty ? POLLIN : POLLIN | POLLOUT
      if !outgoing.isEmpty, !socket.send(&outgoing) { outgoing.removeAll() }
      var slots = [Polling.slot(socket.descriptor, events)]
      Polling.wait(for: &slots, until: timeout.map { start.advanced(by: $0) })
      let received =
        slots[0].isReadable ? socket.receive(into: &lines.unread) : DaemonSocket.Received.nothingYet
      let time = start.duration(to: .current())
      while let answer = try lines.next({ line throws(CommandFailure) in try read(line) }) {
        if let answer { return (answer, time) }
      }
      if received == .ended { throw hangUp(socket) }
      if let timeout, time >= timeout { throw silence(timeout, socket) }
    }
  }

  /// The line, if it is the answer.
  private func read(_ line: UnsafeRawBufferPointer) throws(CommandFailure) -> [UInt8]? {
    let view = try Self.object(line)
    let type = view["type"]?.string
    if type == "error" {
      let report = FailureReport(errorLine: view)
      throw CommandFailure(report.exitStatus, report.sentence)
    }
    return type == answerType ? Array(line) : nil
  }

  /// - Throws: `.failed`, as nobody but a `hotlined` is to be spoken with.
  static func object(_ line: UnsafeRawBufferPointer) throws(CommandFailure) -> JSONView {
    guard let view = JSONView(line: line) else {
      throw CommandFailure(
        .failed,
        "what answers is no hotlined: it sent a line that is no JSON object; check the "
          + "socket's path with \"hotline get-sockname\"")
    }
    return view
  }

  private func silence(_ timeout: Duration, _ socket: DaemonSocket) -> CommandFailure {
    let seconds = Quantity.milliseconds(Double(timeout.wholeNanoseconds) / 1e6)
    return CommandFailure(
      .unreachable,
      "hotlined at \(socket.path) did not answer within \(seconds); restart it "
        + "with \"\(ServiceUnit(socketPath: socket.path).restart)\", or wait longer with --timeout")
  }

  private func hangUp(_ socket: DaemonSocket) -> CommandFailure {
    CommandFailure(
      .unreachable,
      "hotlined at \(socket.path) closed the connection without an answer; "
        + "see its log with \"\(ServiceUnit(socketPath: socket.path).log)\"")
  }
}
