import Glibc

/// Counts what became of the requests that pass through `send`.
struct OutcomeTally {
  /// Requests that were sent.
  private(set) var requestCount = 0
  /// Requests that have had their last line, and lines that were refused.
  private(set) var settledCount = 0
  /// Requests that ended in an error line less the error lines of accepted requests: above zero if
  /// an error line was too long to be read.
  private var unexplainedCount = 0
  private var statuses: Set<ExitStatus> = []

  /// - Parameter isWhole: false if only the line's beginning is there.
  mutating func lineSent(_ line: UnsafeRawBufferPointer, isWhole: Bool) {
    let isRequest: Bool
    if isWhole {
      isRequest = JSONView(line: line)?["type"]?.string == "response.create"
    } else {
      isRequest = Self.contains("\"response.create\"", in: line)
    }
    if isRequest { requestCount += 1 }
  }

  /// - Parameter isWhole: false if only the line's beginning is there; such a line is an event.
  mutating func lineReceived(_ line: UnsafeRawBufferPointer, isWhole: Bool) {
    // Cheap, and true of every text delta.
    guard isWhole, Self.contains("\"error\"", in: line) || Self.contains("hotline.done", in: line),
      let view = JSONView(line: line)
    else { return }
    switch view["type"]?.string {
    case "error": errorReceived(FailureReport(errorLine: view))
    case "hotline.done": doneReceived(outcome: view["outcome"]?.string)
    default: break
    }
  }

  private mutating func errorReceived(_ report: FailureReport) {
    statuses.insert(report.exitStatus)
    if report.isAccepted {
      unexplainedCount -= 1
    } else {
      settledCount += 1
    }
  }

  private mutating func doneReceived(outcome: String?) {
    settledCount += 1
    switch outcome {
    case "completed": break
    case "incomplete": statuses.insert(.incomplete)
    case "error": unexplainedCount += 1
    default: statuses.insert(.failed)
    }
  }

  private static func contains(_ word: StaticString, in line: UnsafeRawBufferPointer) -> Bool {
    guard let base = line.baseAddress else { return false }
    let length = word.utf8CodeUnitCount
    var start = 0
    while line.count - start >= length,
      let found = memchr(base + start, Int32(word.utf8Start[0]), line.count - start - length + 1)
    {
      if memcmp(found, word.utf8Start, length) == 0 { return true }
      start = UnsafeRawPointer(found) - base + 1
    }
    return false
  }

  /// Requests that were sent and have no last line.
  var openCount: Int { max(0, requestCount - settledCount) }

  /// The worst that happened so far, by ``ExitStatus/worstFirst``.
  var status: ExitStatus {
    var statuses = statuses
    if unexplainedCount > 0 { statuses.insert(.failed) }
    return ExitStatus.worstFirst.first { statuses.contains($0) } ?? .completed
  }

  /// As ``status``, with `other` counted among what happened.
  func status(with other: ExitStatus) -> ExitStatus {
    var tally = self
    tally.statuses.insert(other)
    return tally.status
  }
}
