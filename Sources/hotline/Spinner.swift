import HotlineCore

/// Says on a terminal what a request waits for, until its first text comes.
struct Spinner {
  /// Nothing is shown of what comes at once.
  private static let delay: Duration = .milliseconds(300)
  private static let interval: Duration = .milliseconds(120)
  private static let secondsShown = 3

  private var line: TransientLine
  private let start: MonotonicInstant
  private var frame = 0
  /// When ``tick(_:at:)`` is due; nil when it has stopped for good.
  private(set) var nextDraw: MonotonicInstant?

  init(on line: TransientLine, at now: MonotonicInstant) {
    self.line = line
    start = now
    nextDraw = now.advanced(by: Self.delay)
  }

  mutating func tick(_ activity: Answer.Activity, at now: MonotonicInstant) {
    guard let nextDraw, now >= nextDraw else { return }
    self.nextDraw = now.advanced(by: Self.interval)
    let seconds = Int(start.duration(to: now).components.seconds)
    line.draw(
      "\(mark) \(Self.words(activity))" + (seconds < Self.secondsShown ? "" : " \(seconds) s"))
    frame += 1
  }

  mutating func stop() {
    guard nextDraw != nil else { return }
    nextDraw = nil
    line.erase()
  }

  private var mark: Character {
    let marks = Array(line.isUnicode ? "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" : "|/-\\")
    return marks[frame % marks.count]
  }

  static func words(_ activity: Answer.Activity) -> String {
    switch activity {
    case .waiting: return "waiting"
    case .thinking: return "thinking"
    case .answering: return "answering"
    case .queued(let reason, let position):
      switch reason {
      case "connecting": return "connecting"
      case "backoff": return "waiting to connect again"
      case "order": return "queued behind the conversation's earlier request"
      case "rate_limit": return "held back by the rate limit"
      default: return "queued" + (position.map { ", number \($0)" } ?? "")
      }
    }
  }
}
