import Foundation
import TestSupport
import Testing

/// Many clients on few connections: nobody gets another's answer.
@Suite(.serialized)
struct CrowdTests {
  private static let clients = 16
  private static let requests = 2000

  private func crowdedRig() throws -> Rig {
    let rig = try Rig(
      upstream: "connections_warm = 2\nconnections_max = 2",
      sections: "[queue]\nrequests_max = 4096\nwait_timeout = \"170s\"")
    try rig.daemon.waitUntilWarm(2)
    return rig
  }

  @Test func twoThousandRequestsOfSixteenClientsFindTheirWayBack() async throws {
    let rig = try crowdedRig()
    let daemon = rig.daemon.socketPath
    let tally = Tally()
    try await Threads.run(count: Self.clients) { index in
      let client = try LineClient(daemon)
      var crowd = CrowdClient(index: index, count: Self.requests / Self.clients)
      try crowd.finish(with: client)
      tally.add(crowd.done)
    }
    #expect(tally.total == Self.requests)
    let statistics = try rig.simulator.statistics()
    #expect(statistics.completed.integer == Self.requests)
    #expect(statistics.refusedBusy.integer == 0)
    #expect(statistics.violations.integer == 0)
    #expect(statistics.responsesAtOnceMax.integer ?? 9 <= 2)
    try rig.daemon.waitForStatus("nothing left") { $0.queue.waiting.integer == 0 }
  }

  @Test func halfOfThemHangUpAtRandom() async throws {
    let seed = UInt64.random(in: 0 ... .max)
    let rig = try crowdedRig()
    let daemon = rig.daemon.socketPath
    let tally = Tally()
    do {
      try await Threads.run(count: Self.clients) { index in
        var random = SplitMix64(seed: seed &+ UInt64(index))
        var crowd = CrowdClient(index: index, count: Self.requests / Self.clients)
        if index.isMultiple(of: 2) {
          try crowd.finish(with: LineClient(daemon))
        } else {
          while crowd.asked < crowd.count {
            try crowd.read(random.below(60), with: LineClient(daemon))
          }
        }
        tally.add(crowd.done)
      }
    } catch {
      Issue.record("seed \(seed): \(error)")
    }
    #expect(tally.total >= Self.requests / 2, "seed \(seed)")
    try rig.daemon.waitForStatus("nothing left, seed \(seed)") { status in
      status.queue.waiting.integer == 0 && status.busyConnections.isEmpty
        && status.clients.array.allSatisfy { $0.open_requests.integer == 0 }
    }
    let statistics = try rig.simulator.statistics()
    #expect(statistics.refusedBusy.integer == 0, "seed \(seed)")
    #expect(statistics.violations.integer == 0, "seed \(seed)")
    #expect(statistics.open.integer ?? 9 <= 3, "seed \(seed)")
    let after = try rig.client().ask(request("mine"))
    #expect(answerText(after) == "Echo: mine")
  }
}

/// Requests of one client, each with a mark of its own, and the check of what comes back.
private struct CrowdClient {
  private static let openMax = 32

  let index: Int
  let count: Int
  var asked = 0
  var done = 0
  private var open: Set<String> = []

  init(index: Int, count: Int) {
    self.index = index
    self.count = count
  }

  private mutating func fill(_ client: LineClient) throws {
    while open.count < Self.openMax, asked < count {
      let id = "c\(index)-\(asked)"
      asked += 1
      open.insert(id)
      try client.send(request("[[fault: deltas 3]] mark=\(id)-", id: id))
    }
  }

  /// Asks everything and reads every answer.
  mutating func finish(with client: LineClient) throws {
    try fill(client)
    while !open.isEmpty {
      try take(client.line(within: .seconds(120)))
      try fill(client)
    }
    client.shutDownWriting()
    guard try client.next() == nil else { throw TestFailure("a line after the last one") }
  }

  /// Asks, reads some lines, and hangs up.
  mutating func read(_ lines: Int, with client: LineClient) throws {
    try fill(client)
    for _ in 0..<lines where !open.isEmpty {
      try take(client.line(within: .seconds(120)))
    }
    open = []
    client.close()
  }

  private mutating func take(_ line: Line) throws {
    guard let id = line.request_id.string, open.contains(id) else {
      throw TestFailure("client \(index) got a line of no open request: \(line)")
    }
    if line.isError { throw TestFailure("client \(index): \(line)") }
    if let delta = line.delta.string, !delta.contains("\(id)-") {
      throw TestFailure("client \(index) got another's answer for \(id): \(line)")
    }
    guard line.isDone else { return }
    guard line.outcome.string == "completed", line.events.integer == 11 else {
      throw TestFailure("client \(index): \(line)")
    }
    open.remove(id)
    done += 1
  }
}

/// A sum over threads.
private final class Tally: @unchecked Sendable {
  private let lock = NSLock()
  private var sum = 0

  func add(_ number: Int) { lock.withLock { sum += number } }
  var total: Int { lock.withLock { sum } }
}
