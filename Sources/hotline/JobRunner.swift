import Glibc
import HotlineCore

/// Keeps some requests of a file running and prints a line of results for each: the poll loop of
/// `send --jobs`.
struct JobRunner {
  /// Bytes that may wait to be written in each direction.
  private static let waitingBytesMax = 1 << 18
  /// Bytes of one line from the daemon.
  private static let lineBytesMax = 256 << 20

  private var input: JobInput
  /// Keys of requests that need not be sent.
  private let finished: Set<String>
  private let socket: DaemonSocket
  private let interrupt: InterruptSignal
  private var board: JobBoard
  private var progress: JobProgress?
  private var outgoing = ByteQueue()
  private var lines = LineReader(lineBytesMax: lineBytesMax)
  private var output = OutputWriter()
  private var isInputOver = false
  /// The daemon has closed the connection, which matters only if something is left to be said.
  private var hasHungUp = false
  private var isInterrupted = false

  init(
    input: JobInput, finished: Set<String>, socket: DaemonSocket, board: JobBoard,
    progress: JobProgress?
  ) {
    self.input = input
    self.finished = finished
    self.socket = socket
    self.board = board
    self.progress = progress
    interrupt = InterruptSignal()
  }

  /// Runs until every request has come to its end.
  ///
  /// - Throws: why it stopped before, or the worst outcome of a request.
  mutating func run() throws(CommandFailure) {
    defer { progress?.erase() }
    do throws(CommandFailure) {
      try startMore()
      while !isSettled || !output.isEmpty { try step() }
    } catch {
      progress?.erase()
      flush()
      // Nobody may take the rest.
      signal(SIGINT, SIG_DFL)
      if error.status != .brokenPipe { try? output.writeAll() }
      throw error
    }
    flush()
    try output.writeAll()
    if let progress {
      self.progress?.erase()
      let summary = progress.summary(board.counts, at: .current())
      StandardDescriptors.writeError("hotline: \(summary)\n")
    }
    if let stop = board.stop { throw stop }
    guard board.status == .completed else { throw CommandFailure(board.status, nil) }
  }

  /// The daemon has nothing more to say.
  private var isSettled: Bool { (isInputOver || board.stop != nil) && board.isIdle }

  private mutating func step() throws(CommandFailure) {
    let wantsInput = !isInputOver && board.takesMore && outgoing.count < Self.waitingBytesMax
    var slots = [
      Polling.slot(interrupt.descriptor, POLLIN),
      Polling.slot(wantsInput ? input.lines.descriptor : -1, POLLIN), output.slot, socketSlot,
    ]
    progress?.tick(board.counts, at: .current())
    let deadlines = [board.nextDeadline, progress?.nextDraw]
    Polling.wait(for: &slots, until: deadlines.compactMap(\.self).min())
    if slots[0].isReadable { try interrupted(count: interrupt.takeCount()) }
    if slots[1].isReadable { try input.read() }
    if slots[2].isBroken { throw CommandFailure(.brokenPipe, nil) }
    if slots[2].isWritable { try writeOutput() }
    if slots[3].isReadable { try receive() }
    try startMore()
    if hasHungUp, !board.isIdle {
      throw CommandFailure(board.stop?.status ?? .retryLater, hangUpSentence)
    }
    // What is refused now is noticed when nothing more comes.
    if !outgoing.isEmpty, !socket.send(&outgoing) { outgoing.removeAll() }
  }

  private var socketSlot: pollfd {
    guard !isSettled, !hasHungUp else { return Polling.slot(-1) }
    var events: Int32 = 0
    if output.count < Self.waitingBytesMax { events |= POLLIN }
    if !outgoing.isEmpty { events |= POLLOUT }
    return Polling.slot(events == 0 ? -1 : socket.descriptor, events)
  }

  private mutating func startMore() throws(CommandFailure) {
    let now = MonotonicInstant.current()
    while outgoing.count < Self.waitingBytesMax, let line = board.nextRefused(at: now) {
      outgoing.append(line)
    }
    do throws(CommandFailure) {
      while board.takesMore, !isInputOver, outgoing.count < Self.waitingBytesMax {
        guard let job = try input.next() else {
          isInputOver = input.isRead
          return
        }
        if !finished.contains(job.key) { outgoing.append(board.begin(job)) }
      }
    } catch {
      // What was sent before the line that is wrong is waited for.
      board.stop(because: error)
    }
  }

  private mutating func receive() throws(CommandFailure) {
    let received = socket.receive(into: &lines.unread)
    let now = MonotonicInstant.current()
    var results = ByteQueue()
    while true {
      let answered: Void? = try lines.next { line throws(CommandFailure) in
        try board.lineArrived(line, at: now, to: &results)
      }
      if answered == nil { break }
    }
    output.append(&results)
    hasHungUp = received == .ended
  }

  private var hangUpSentence: String {
    let count = board.runningCount
    let unfinished = count == 1 ? "1 request unfinished" : "\(count) requests unfinished"
    return "hotlined closed the connection with \(unfinished); whether the server acted on "
      + "\(count == 1 ? "it" : "them") is not known, so going on with --resume may be billed twice"
  }

  private mutating func writeOutput() throws(CommandFailure) {
    // Both may be the same terminal.
    progress?.erase()
    try output.writeSome()
  }

  private mutating func interrupted(count: Int) throws(CommandFailure) {
    guard count > 0 else { return }
    guard !isInterrupted, count == 1, board.runningCount > 0 else {
      throw CommandFailure(.interrupted, nil)
    }
    isInterrupted = true
    board.stop(because: CommandFailure(.interrupted, nil))
    progress?.erase()
    StandardDescriptors.writeError(
      "hotline: no more are sent; waiting for \(board.runningCount) that "
        + "\(board.runningCount == 1 ? "runs" : "run"), interrupt again to cancel\n")
  }

  private mutating func flush() {
    var rest = ByteQueue()
    board.flush(to: &rest)
    output.append(&rest)
  }
}
