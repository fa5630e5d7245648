import HotlineCore
import HotlineSystem

/// What the daemon has done since its start, beside what the core counts itself.
///
/// Pure value, confined to the daemon loop; time and day are arguments. Its memory is bounded: 64
/// models and upstreams, 128 labels, 31 days.
struct Statistics {
  /// The accounts of one local day.
  struct Day {
    let day: CalendarDay
    fileprivate(set) var accounts = Accounts()
  }

  static let daysMax = 31

  private(set) var accounts = Accounts()
  /// Those on which a request ended, the latest last.
  private(set) var days: [Day] = []
  private(set) var latencies = BoundedTable<String, UpstreamLatencies>(
    countMax: 64, other: "other")

  mutating func requestEnded(_ end: RequestEnd, on day: CalendarDay) {
    accounts.add(end)
    days[index(of: day)].accounts.add(end)
    let completion = end.completion
    latencies.update(end.upstream, or: UpstreamLatencies()) {
      // One that never got a connection tells how long it waited for nothing.
      if completion.connection != nil { $0.record(completion.queued, as: .queued) }
      $0.record(completion.firstEvent, as: .firstEvent)
      $0.record(completion.firstText, as: .firstText)
      $0.record(completion.total, as: .total)
    }
  }

  mutating func warmUpEnded(_ end: WarmUpEnd, on day: CalendarDay) {
    accounts.add(end)
    days[index(of: day)].accounts.add(end)
  }

  /// A connection was opened so long after its dial.
  mutating func connected(to upstream: String, after duration: Duration) {
    latencies.update(upstream, or: UpstreamLatencies()) { $0.record(duration, as: .connect) }
  }

  private mutating func index(of day: CalendarDay) -> Int {
    // A clock that is set back finds the day that it has been on.
    if let index = days.lastIndex(where: { $0.day.date == day.date }) { return index }
    days.append(Day(day: day))
    if days.count > Self.daysMax { days.removeFirst() }
    return days.count - 1
  }
}
