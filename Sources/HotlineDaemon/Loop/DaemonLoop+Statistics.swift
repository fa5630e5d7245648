import HotlineCore
import HotlineSystem
import HotlineTransport
import HotlineWire
import Logging

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

  private func note(_ end: RequestEnd, in accessLog: AccessLog) {
    var line = JSONWriter()
    end.append(to: &line)
    line.endLine()
    accessLog.write(line.bytes)
  }

  /// Goes by the configuration; a file is opened again, as it may have been moved away.
  func openAccessLog() {
    let target = configuration.monitoring.accessLog
    guard target != accessLog?.target else {
      accessLog?.reopen()
      return
    }
    let log = log
    accessLog = target.map { target in
      AccessLog(target, on: { Self.disk.async($0) }) { problem in
        log.error("ended requests are not noted", metadata: ["reason": "\(problem)"])
      }
    }
  }

  /// Root and the owner see everybody's clients and labels.
  func seesAll(_ uid: UInt32) -> Bool { uid == 0 || uid == broker.ownerUID }

  /// Counts a request that has ended.
  func account(
    for record: RequestRecord, _ error: HotlineError?, _ completion: Completion
  ) -> RequestEnd {
    let client = record.client
    let command = commandName(of: client)
    // All that the server has said of it: a steered request has several responses.
    let usages = (completion.earlierUsages + [completion.usage].compactMap(\.self))
      .compactMap { TokenUsage($0) }
    let usage = usages.isEmpty ? nil : usages.reduce(TokenUsage(), +)
    let end = RequestEnd(
      client: client.number, uid: client.uid, processID: client.processID, command: command,
      idSpelling: record.idSpelling, tag: record.tag ?? command, model: record.model,
      upstream: upstreams[completion.upstream.rawValue].configuration.name, error: error?.code,
      completion: completion, usage: usage,
      cost: cost(of: usage, model: record.model, upstream: completion.upstream))
    statistics.requestEnded(end, on: today())
    spent(end)
    if !watches.isEmpty { tellWatches(of: end) }
    if let accessLog { note(end, in: accessLog) }
    return end
  }
}
