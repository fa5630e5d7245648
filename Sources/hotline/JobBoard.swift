import HotlineCore
import HotlineWire

/// Which requests are running, which are to be sent again, and what has come of the others.
///
/// Pure: lines of the daemon in, lines of results out.
struct JobBoard {
  struct Counts: Hashable {
    /// Those that are over, whatever came of them.
    var ended = 0
    /// Those of them that neither completed nor were cut short.
    var failed = 0
    var tokens = 0
    var running = 0
  }

  private struct Running {
    var job: Job
    /// Its place among those that were begun.
    var index: Int
    var answer = JobAnswer()
  }

  /// How long nothing is sent after the daemon has had enough.
  private static let pause: Duration = .seconds(1)
  /// Bytes of results that may wait for an earlier one.
  private static let heldBytesMax = 64 << 20

  /// Requests that may run at once; the daemon's own limit lowers it.
  private var runningMax: Int
  private let isInOrder: Bool
  private var running: [String: Running] = [:]
  private var refused: [(job: Job, index: Int)] = []
  private var pauseEnd: MonotonicInstant?
  private var begunCount = 0
  /// Results that wait for an earlier one.
  private var held: [Int: [UInt8]] = [:]
  private var heldByteCount = 0
  private var printedCount = 0
  private(set) var counts = Counts()
  private var statuses: Set<ExitStatus> = []
  /// Why no more are sent; those that run are waited for.
  private(set) var stop: CommandFailure?

  init(runningMax: Int, isInOrder: Bool) {
    self.runningMax = runningMax
    self.isInOrder = isInOrder
  }

  var isIdle: Bool { running.isEmpty && (refused.isEmpty || stop != nil) }
  var runningCount: Int { running.count }
  /// When more can be sent, if that is a matter of time.
  var nextDeadline: MonotonicInstant? { stop == nil ? pauseEnd : nil }

  /// Nothing more is sent; what runs is waited for.
  mutating func stop(because failure: CommandFailure) {
    if stop == nil { stop = failure }
  }

  /// A request to be sent again, if there is one and it is time.
  mutating func nextRefused(at now: MonotonicInstant) -> [UInt8]? {
    if let end = pauseEnd, now >= end { pauseEnd = nil }
    guard hasRoom, !refused.isEmpty else { return nil }
    let (job, index) = refused.removeFirst()
    return begin(job, index: index)
  }

  /// Whether another request may be begun.
  var takesMore: Bool { hasRoom && refused.isEmpty && heldByteCount <= Self.heldBytesMax }

  private var hasRoom: Bool { stop == nil && pauseEnd == nil && running.count < runningMax }

  /// - Returns: the line to send.
  mutating func begin(_ job: Job) -> [UInt8] {
    begunCount += 1
    return begin(job, index: begunCount - 1)
  }

  private mutating func begin(_ job: Job, index: Int) -> [UInt8] {
    running[job.key] = Running(job: job, index: index)
    counts.running = running.count
    return job.line
  }

  /// - Throws: `.failed` for a line that is no JSON object; an error that answers no request.
  mutating func lineArrived(
    _ bytes: UnsafeRawBufferPointer, at now: MonotonicInstant, to out: inout ByteQueue
  ) throws(CommandFailure) {
    let line = try DaemonLine.read(bytes)
    guard let id = line.requestID, let key = id.requestKey else {
      guard line.kind == .error, let view = JSONView(line: bytes) else { return }
      let report = FailureReport(errorLine: view)
      throw CommandFailure(report.exitStatus, report.sentence)
    }
    running[key]?.answer.lineArrived(line)
    guard let ended = running[key], ended.answer.isOver else { return }
    running[key] = nil
    counts.running = running.count
    if let failure = ended.answer.failure, sendsAgain(ended, after: failure, at: now) { return }
    end(ended, key: key, to: &out)
  }

  /// Whether the daemon had no room or no will for any request, rather than for this one.
  private mutating func sendsAgain(
    _ ended: Running, after failure: FailureReport, at now: MonotonicInstant
  ) -> Bool {
    guard ended.answer.isRefused, failure.isDaemons else { return false }
    switch failure.code {
    case "too_many_requests":
      runningMax = max(1, running.count)
      pauseEnd = now.advanced(by: Self.pause)
    case "queue_full": pauseEnd = now.advanced(by: Self.pause)
    case "shutting_down", "budget_exceeded", "not_allowed":
      stop(because: CommandFailure(failure.exitStatus, failure.sentence))
    default: return false
    }
    refused.append((ended.job, ended.index))
    return true
  }

  private mutating func end(_ ended: Running, key: String, to out: inout ByteQueue) {
    counts.ended += 1
    counts.tokens += ended.answer.summary?.tokens ?? 0
    if let status = ended.answer.status {
      statuses.insert(status)
      if status != .incomplete { counts.failed += 1 }
    }
    let result = ended.answer.resultLine(key: key)
    guard isInOrder else { return out.append(result) }
    held[ended.index] = result
    heldByteCount += result.count
    while let next = held.removeValue(forKey: printedCount) {
      out.append(next)
      heldByteCount -= next.count
      printedCount += 1
    }
  }

  /// The results that wait for an earlier one which will not come.
  mutating func flush(to out: inout ByteQueue) {
    for index in held.keys.sorted() { out.append(held[index] ?? []) }
    held.removeAll()
  }

  /// The worst that happened, by ``ExitStatus/worstFirst``.
  var status: ExitStatus {
    ExitStatus.worstFirst.first { statuses.contains($0) } ?? .completed
  }
}
