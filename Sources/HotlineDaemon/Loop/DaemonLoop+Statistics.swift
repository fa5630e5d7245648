import HotlineCore
import HotlineSystem
import HotlineTransport
import HotlineWire

/// Accounts for each request, once, at its end.
extension DaemonLoop {
  /// The local day, by the clock that may be set.
  func today() -> CalendarDay {
    let time = wallClock()
    if let latestDay, latestDay.contains(time) { return latestDay }
    let day = calendar(time)
    latestDay = day
    return day
  }

  /// Root and the owner see everybody's clients and labels.
  func seesAll(_ uid: UInt32) -> Bool { uid == 0 || uid == broker.ownerUID }

  /// Counts a request that has ended.
  func account(
    for record: RequestRecord, _ error: HotlineError?, _ completion: Completion
  ) -> RequestEnd {
    let client = record.client
    let command = commandName(of: client)
    let usage = completion.usage.flatMap { TokenUsage($0) }
    let end = RequestEnd(
      client: client.number, uid: client.uid, processID: client.processID, command: command,
      idSpelling: record.idSpelling, tag: record.tag ?? command, model: record.model,
      upstream: upstreams[completion.upstream.rawValue].configuration.name, error: error?.code,
      completion: completion, usage: usage,
      cost: cost(of: usage, model: record.model, upstream: completion.upstream))
    statistics.requestEnded(end, on: today())
    spent(end)
    if !watches.isEmpty { tellWatches(of: end) }
    return end
  }
}
