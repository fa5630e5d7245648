import HotlineCore

/// How far a file of requests has come, for a terminal.
struct JobProgress {
  private static let interval: Duration = .milliseconds(100)
  private static let barColumns = 20

  private var line: TransientLine
  private let start: MonotonicInstant
  /// Requests in all; nil if that is not known.
  private let total: Int?
  private(set) var nextDraw: MonotonicInstant

  init(on line: TransientLine, total: Int?, at now: MonotonicInstant) {
    self.line = line
    self.total = total
    start = now
    nextDraw = now
  }

  mutating func tick(_ counts: JobBoard.Counts, at now: MonotonicInstant) {
    guard now >= nextDraw else { return }
    nextDraw = now.advanced(by: Self.interval)
    line.draw(Self.text(counts, total: total, after: seconds(at: now)))
  }

  /// To be called before anything else is written to a terminal.
  mutating func erase() { line.erase() }

  /// The line that stays.
  func summary(_ counts: JobBoard.Counts, at now: MonotonicInstant) -> String {
    let tokens = counts.tokens > 0 ? ", \(counts.tokens) tokens" : ""
    return
      "\(counts.ended) done\(total.map { " of \($0)" } ?? ""), \(counts.failed) failed\(tokens)"
      + ", in \(Quantity.seconds(seconds(at: now)))"
  }

  private func seconds(at now: MonotonicInstant) -> Double {
    Double(start.duration(to: now).wholeNanoseconds) / 1e9
  }

  static func text(_ counts: JobBoard.Counts, total: Int?, after seconds: Double) -> String {
    var parts: [String] = []
    if let total {
      let filled = total == 0 ? barColumns : min(barColumns, barColumns * counts.ended / total)
      let bar =
        String(repeating: "#", count: filled) + String(repeating: "-", count: barColumns - filled)
      parts.append("[\(bar)] \(counts.ended)/\(total)")
    } else {
      parts.append("\(counts.ended) done")
    }
    parts.append("\(counts.running) running")
    if counts.failed > 0 { parts.append("\(counts.failed) failed") }
    if counts.tokens > 0 { parts.append("\(counts.tokens) tokens") }
    let rate = seconds > 0 ? Double(counts.ended) / seconds : 0
    guard rate > 0 else { return parts.joined(separator: ", ") }
    parts.append(
      rate < 0.1
        ? Quantity.fixed(rate * 60, decimals: 1) + "/min" : Quantity.fixed(rate, decimals: 1) + "/s"
    )
    if let total, counts.ended < total {
      parts.append("\(Quantity.shortSeconds(Double(total - counts.ended) / rate)) left")
    }
    return parts.joined(separator: ", ")
  }
}
