import Foundation
import TestSupport
import Testing

/// Many conversations on few connections with lanes, while clients cancel and leave and the server
/// drops everything: nobody gets a line of another's.
@Suite(.serialized)
struct ConversationCrowdTests {
  private static let clients = 20
  private static let conversations = 10

  /// Who stores what.
  enum Server: Sendable, CaseIterable {
    /// It stores nothing: a response is continued where it was made.
    case storesNothing
    /// It stores what it is not asked not to, as OpenAI's does; it is asked so every second time.
    case storesHalf

    fileprivate var flags: [String] {
      switch self {
      case .storesNothing: ["--lanes"]
      case .storesHalf: ["--lanes", "--envelope", "flat"]
      }
    }

    /// Conversations of each client at a time: with two there are more than lanes, so that some
    /// have to begin again.
    fileprivate var conversationsAtOnce: Int {
      switch self {
      case .storesNothing: 2
      case .storesHalf: 1
      }
    }

    fileprivate var upstream: String {
      switch self {
      case .storesNothing: "lanes = 8"
      case .storesHalf: "preset = \"openai\""
      }
    }
  }

  @Test(arguments: Server.allCases)
  func twoHundredConversationsOnFourConnectionsOfEightLanes(server: Server) async throws {
    let seed = UInt64.random(in: 0 ... .max)
    let rig = try Rig(
      server.flags, upstream: "connections_warm = 4\nconnections_max = 4\n" + server.upstream,
      sections: "[queue]\nrequests_max = 4096\nwait_timeout = \"170s\"")
    try rig.daemon.waitUntilWarm(4)
    // One response shows that the server names lanes.
    #expect(try rig.client().ask(request("first")).done?.outcome.string == "completed")
    let tally = TurnTally(dropsAt: [150, 400, 700])
    let (daemon, simulator) = (rig.daemon.socketPath, SharedSimulator(rig.simulator))
    do {
      try await Threads.run(count: Self.clients) { index in
        var client = try ConversingClient(
          index: index, conversations: Self.conversations, seed: seed &+ UInt64(index),
          socketPath: daemon, server: server)
        try client.run { if tally.turnEnded($0) { try simulator.dropAll() } }
      }
    } catch {
      Issue.record("seed \(seed): \(error)")
    }
    let turns = Self.clients * Self.conversations * ConversingClient.turns
    #expect(tally["completed"] == turns, "seed \(seed): \(tally.counts)")
    #expect(tally["continued"] > turns / 4, "seed \(seed): \(tally.counts)")
    if server == .storesHalf {
      // Where few lanes are known, after a drop, one chain has to make room for another.
      #expect(tally["previous_response_not_found"] < turns / 50, "seed \(seed): \(tally.counts)")
    }
    // How a cancel ends is a matter of pace, as is what a drop hits.
    #expect(tally["a cancel"] > 0 && tally["left"] > 0, "seed \(seed): \(tally.counts)")
    #expect(
      tally["connection_lost"] + tally["conversation_lost"] > 0, "seed \(seed): \(tally.counts)")
    let statistics = try rig.simulator.statistics()
    #expect(statistics.violations.integer == 0, "seed \(seed)")
    #expect(statistics.refusedBusy.integer == 0, "seed \(seed)")
    #expect(statistics.responsesAtOnceMax.integer ?? 99 <= 32, "seed \(seed)")
    try rig.daemon.waitForStatus("nothing left, seed \(seed)") { status in
      status.queue.waiting.integer == 0 && status.busyConnections.isEmpty
        && status.clients.array.allSatisfy { $0.open_requests.integer == 0 }
    }
  }
}

/// A program that holds conversations, some at a time, each of which continues its latest response.
///
/// Confined to a thread of its own.
private struct ConversingClient {
  static let turns = 5

  private struct Conversation {
    var turnsDone = 0
    /// What the next turn continues; nil: it says everything again.
    var latest: String?
    /// The id of its open request.
    var open: String?
  }

  private let index: Int
  private let socketPath: String
  private let server: ConversationCrowdTests.Server
  private var random: SplitMix64
  private var client: LineClient
  private var conversations: [Conversation]
  private var asked = 0
  /// Ids that were cancelled, perhaps too late.
  private var cancels: Set<String> = []

  init(
    index: Int, conversations: Int, seed: UInt64, socketPath: String,
    server: ConversationCrowdTests.Server
  ) throws {
    self.index = index
    self.server = server
    self.socketPath = socketPath
    self.conversations = Array(repeating: Conversation(), count: conversations)
    random = SplitMix64(seed: seed)
    client = try LineClient(socketPath)
  }

  /// - Parameter turnEnded: is told how each turn ended.
  mutating func run(turnEnded: (String) throws -> Void) throws {
    while true {
      let unfinished = conversations.indices.filter { conversations[$0].turnsDone < Self.turns }
      for number in unfinished.prefix(server.conversationsAtOnce)
      where conversations[number].open == nil {
        try ask(number)
      }
      guard conversations.contains(where: { $0.open != nil }) else { break }
      try take(client.line(within: .seconds(120)), turnEnded)
      if random.below(400) == 0 { try leave(turnEnded) }
    }
    client.shutDownWriting()
    while let line = try client.next() {
      guard isAnswerToLateCancel(line) else { throw TestFailure("after the last line: \(line)") }
    }
  }

  private mutating func ask(_ number: Int) throws {
    asked += 1
    let id = "c\(index)-\(number)-\(asked)"
    var more = conversations[number].latest.map { #","previous_response_id":"\#($0)""# } ?? ""
    if server == .storesHalf, random.below(2) == 0 { more += #","store":false"# }
    conversations[number].open = id
    try client.send(
      request(
        "[[fault: deltas 6, gap 5]] mark=\(id)-", id: id,
        options: #""conversation":"c\#(index)-\#(number)""#, more: more))
  }

  /// Hangs up in the middle of everything, and comes back.
  private mutating func leave(_ turnEnded: (String) throws -> Void) throws {
    client.close()
    client = try LineClient(socketPath)
    cancels = []
    for number in conversations.indices where conversations[number].open != nil {
      conversations[number].open = nil
      conversations[number].latest = nil
      try turnEnded("left")
    }
  }

  private func isAnswerToLateCancel(_ line: Line) -> Bool {
    line.code == "unknown_request_id" && line.request_id.string.map(cancels.contains) == true
  }

  private mutating func take(_ line: Line, _ turnEnded: (String) throws -> Void) throws {
    if isAnswerToLateCancel(line) { return }
    guard let id = line.request_id.string,
      let number = conversations.firstIndex(where: { $0.open == id })
    else { throw TestFailure("client \(index) got a line of no open request: \(line)") }
    if let delta = line.delta.string {
      guard delta.contains("\(id)-") else {
        throw TestFailure("client \(index) got another's answer for \(id): \(line)")
      }
      guard !cancels.contains(id), random.below(60) == 0 else { return }
      cancels.insert(id)
      try client.send(#"{"type":"response.cancel","request_id":"\#(id)"}"#)
      return try turnEnded("a cancel")
    }
    if let code = line.code {
      guard ["connection_lost", "conversation_lost", "previous_response_not_found"].contains(code)
      else {
        throw TestFailure("client \(index): \(line)")
      }
      return try turnEnded(code)
    }
    guard line.isDone else { return }
    conversations[number].open = nil
    let wasContinued = conversations[number].latest != nil
    conversations[number].latest = nil
    let outcome = line.outcome.string ?? ""
    if outcome == "completed" {
      conversations[number].turnsDone += 1
      conversations[number].latest = line.response_id.string
      if wasContinued { try turnEnded("continued") }
    }
    try turnEnded(outcome)
  }
}

/// How turns ended, over threads, and when it is time to drop all connections.
private final class TurnTally: @unchecked Sendable {
  private let lock = NSLock()
  private var ended: [String: Int] = [:]
  private var dropsAt: ArraySlice<Int>

  /// - Parameter dropsAt: after so many completed turns each.
  init(dropsAt: [Int]) { self.dropsAt = dropsAt[...] }

  var counts: [String: Int] { lock.withLock { ended } }
  subscript(outcome: String) -> Int { counts[outcome, default: 0] }

  /// - Returns: whether to drop all connections now.
  func turnEnded(_ outcome: String) -> Bool {
    lock.withLock {
      ended[outcome, default: 0] += 1
      guard let next = dropsAt.first, ended["completed", default: 0] >= next else { return false }
      dropsAt.removeFirst()
      return true
    }
  }
}

/// One thread at a time gives it commands.
private final class SharedSimulator: @unchecked Sendable {
  private let lock = NSLock()
  private let simulator: SimulatorProcess

  init(_ simulator: SimulatorProcess) { self.simulator = simulator }

  func dropAll() throws { _ = try lock.withLock { try simulator.command("drop all") } }
}
