import Glibc
import HotlineCore
import HotlineWire

/// Sends one request and prints its answer as it comes: the poll loop of `ask`.
struct AskExchange {
  struct Limits {
    /// Bytes of one line from the daemon: its largest event with room to spare.
    var lineBytesMax = 256 << 20
    /// Bytes of text that wait for standard output before the daemon is read on.
    var outputBytesMax = 1 << 16
    /// How long a cancelled request is given to end.
    var cancelWait: Duration = .seconds(2)
    /// How much longer than the request's own timeout the daemon is given to report it.
    var timeoutGrace: Duration = .seconds(2)
  }

  private enum Phase {
    case running
    /// After Ctrl-C: until the last line comes, or this instant.
    case cancelling(until: MonotonicInstant)
  }

  private let limits: Limits
  private let socket: DaemonSocket
  private let interrupt: InterruptSignal
  private var lines: LineReader
  private var outgoing = ByteQueue()
  private var output = OutputWriter()
  private var answer: Answer
  private var phase = Phase.running
  private var deadline: MonotonicInstant?
  private let endsLine: Bool
  private var spinner: Spinner?

  /// - Parameters:
  ///   - endsLine: the text then ends with an LF.
  ///   - spinner: for the time until the first text.
  init(
    request: AskRequest, socket: DaemonSocket, answer: Answer, endsLine: Bool,
    spinner: Spinner?, limits: Limits = Limits()
  ) {
    self.limits = limits
    self.socket = socket
    self.answer = answer
    interrupt = InterruptSignal()
    lines = LineReader(lineBytesMax: limits.lineBytesMax)
    self.endsLine = endsLine
    self.spinner = spinner
    deadline = request.delivery.timeoutMilliseconds.map {
      MonotonicInstant.current().advanced(by: .milliseconds($0)).advanced(by: limits.timeoutGrace)
    }
    outgoing.append(request.line)
  }

  /// Runs to the last line.
  ///
  /// - Returns: the answer, its text printed.
  /// - Throws: what kept the last line from coming.
  mutating func run() throws(CommandFailure) -> Answer {
    defer { spinner?.stop() }
    do throws(CommandFailure) {
      while !answer.isOver { try step() }
      if case .cancelling = phase { throw CommandFailure(.interrupted, nil) }
      try finishOutput()
      return answer
    } catch {
      spinner?.stop()
      // What is said on standard error, and the shell's prompt, begin on a line of their own.
      if error.status != .brokenPipe { endLine() }
      try? writeReady()
      throw error
    }
  }

  private mutating func step() throws(CommandFailure) {
    try readLines()
    guard !answer.isOver else { return }
    var slots = [
      Polling.slot(interrupt.descriptor, POLLIN), output.slot, socketSlot,
    ]
    Polling.wait(for: &slots, until: [deadline, spinner?.nextDraw].compactMap(\.self).min())
    try checkDeadline()
    spinner?.tick(answer.activity, at: .current())
    if slots[0].isReadable { try interrupted(count: interrupt.takeCount()) }
    if slots[1].isWritable { try output.writeSome() }
    if slots[1].isBroken { throw CommandFailure(.brokenPipe, nil) }
    if slots[2].isWritable, !outgoing.isEmpty, !socket.send(&outgoing) { outgoing.removeAll() }
    if slots[2].isReadable { try receive() }
    try writeReady()
  }

  /// Left out while there is nothing to send and no room for what would be read: a hang-up that
  /// nobody takes would wake the loop again and again.
  private var socketSlot: pollfd {
    var events: Int32 = 0
    if output.count < limits.outputBytesMax { events |= POLLIN }
    if !outgoing.isEmpty { events |= POLLOUT }
    return Polling.slot(events == 0 ? -1 : socket.descriptor, events)
  }

  private mutating func receive() throws(CommandFailure) {
    guard output.count < limits.outputBytesMax else { return }
    guard case .ended = socket.receive(into: &lines.unread) else { return }
    try readLines()
    guard !answer.isOver else { return }
    if case .cancelling = phase { throw CommandFailure(.interrupted, nil) }
    if let failure = answer.failure { throw CommandFailure(failure.exitStatus, failure.sentence) }
    throw CommandFailure(
      .retryLater,
      "hotlined closed the connection before the answer was finished (no hotline.done); whether "
        + "the server acted on the request is not known, so trying again may be billed twice")
  }

  private mutating func readLines() throws(CommandFailure) {
    var text = ByteQueue()
    while !answer.isOver {
      let answered: Void? = try lines.next { line throws(CommandFailure) in
        try answer.lineArrived(line, to: &text)
      }
      if answered == nil { break }
    }
    // After Ctrl-C nobody wants to see more.
    guard case .running = phase, !text.isEmpty else { return }
    spinner?.stop()
    output.append(&text)
  }

  private mutating func interrupted(count: Int) throws(CommandFailure) {
    guard count > 0 else { return }
    guard case .running = phase, count == 1 else { throw CommandFailure(.interrupted, nil) }
    let end = MonotonicInstant.current().advanced(by: limits.cancelWait)
    phase = .cancelling(until: end)
    deadline = end
    outgoing.append(AskRequest.cancelLine)
  }

  private func checkDeadline() throws(CommandFailure) {
    guard let deadline, MonotonicInstant.current() >= deadline else { return }
    if case .cancelling = phase { throw CommandFailure(.interrupted, nil) }
    throw CommandFailure(
      .retryLater,
      "hotlined did not end the request within its timeout; see how it is with "
        + "\"hotline status\"; trying again may be billed twice")
  }

  /// Writes what standard output takes at once.
  private mutating func writeReady() throws(CommandFailure) {
    guard !output.isEmpty else { return }
    var slots = [output.slot]
    Polling.wait(for: &slots, until: MonotonicInstant(nanoseconds: 0))
    if slots[0].isWritable { try output.writeSome() }
  }

  /// The rest of the text or the response, for as long as the reader takes; Ctrl-C ends it.
  private mutating func finishOutput() throws(CommandFailure) {
    spinner?.stop()
    // Of a conversation that was lost only the new beginning is printed.
    if let response = answer.response, !answer.isConversationLost {
      output.append(response)
      output.append("\n")
    }
    endLine()
    while !output.isEmpty {
      var slots = [Polling.slot(interrupt.descriptor, POLLIN), output.slot]
      Polling.wait(for: &slots)
      if slots[0].isReadable { throw CommandFailure(.interrupted, nil) }
      if slots[1].revents != 0 { try output.writeSome() }
    }
  }

  private mutating func endLine() {
    if endsLine, !answer.endsLine { output.append("\n") }
  }
}
