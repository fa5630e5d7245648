import Logging
import Synchronization

/// Keeps one message that comes again and again from filling the log: so many in an interval are
/// written, the rest is counted, and the count is told when the interval is over.
///
/// Messages are constants, so there are few; what differs is in their fields. Each upstream counts
/// by itself. Any thread.
package final class RepeatLimit: Sendable {
  package struct Rule: Hashable, Sendable {
    package var interval: Duration = .seconds(30)
    /// Lines of one message within an interval.
    package var linesMax = 20
    /// Messages told apart; beyond them one is forgotten.
    package var messagesMax = 256

    package init() {}
  }

  /// What became of the lines of one message.
  struct Suppressed: Hashable {
    let message: String
    let upstream: String?
    let count: Int
  }

  private struct Key: Hashable {
    let message: String
    let upstream: String?
  }

  private struct Window {
    let end: Duration
    var lines = 1
    var suppressed = 0
  }

  private let rule: Rule
  private let windows = Mutex<[Key: Window]>([:])

  package init(_ rule: Rule = Rule()) {
    self.rule = rule
  }

  /// - Parameter now: monotonic time.
  /// - Returns: whether the line is to be written, and what was left out in intervals that are
  ///   over.
  func admits(
    _ message: String, upstream: String?, at now: Duration
  ) -> (isAdmitted: Bool, over: [Suppressed]) {
    windows.withLock { windows in
      let ended = windows.filter { $0.value.end <= now }
      for key in ended.keys { windows[key] = nil }
      let over = ended.filter { $0.value.suppressed > 0 }.map { key, window in
        Suppressed(message: key.message, upstream: key.upstream, count: window.suppressed)
      }.sorted { ($0.message, $0.upstream ?? "") < ($1.message, $1.upstream ?? "") }
      let key = Key(message: message, upstream: upstream)
      guard var window = windows[key] else {
        if windows.count >= rule.messagesMax, let any = windows.keys.first { windows[any] = nil }
        windows[key] = Window(end: now + rule.interval)
        return (true, over)
      }
      let isAdmitted = window.lines < rule.linesMax
      if isAdmitted { window.lines += 1 } else { window.suppressed += 1 }
      windows[key] = window
      return (isAdmitted, over)
    }
  }
}
