/// Merges changes that come in quick succession: the first is reported at once, the rest as one at
/// the end of the interval.
struct ReportPacing: Hashable {
  private let interval: Duration
  /// End of the interval that the last report began.
  private var end: Duration?
  private var isPending = false

  init(_ interval: Duration) {
    self.interval = interval
  }

  /// When ``deadlineReached(at:)`` is due; nil while nothing waits to be reported.
  var nextDeadline: Duration? { isPending ? end : nil }

  /// - Parameter now: Monotonic time.
  /// - Returns: Whether to report it now.
  mutating func changed(at now: Duration) -> Bool {
    if let end, now < end {
      isPending = true
      return false
    }
    return report(at: now)
  }

  /// - Returns: Whether to report what came since the last report.
  mutating func deadlineReached(at now: Duration) -> Bool {
    guard let nextDeadline, now >= nextDeadline else { return false }
    return report(at: now)
  }

  private mutating func report(at now: Duration) -> Bool {
    isPending = false
    end = now + interval
    return true
  }
}
