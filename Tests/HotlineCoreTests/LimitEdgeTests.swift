import Testing

@testable import HotlineCore

/// What a limit still lets happen, and what it no longer does.
struct Edge: Equatable {
  /// The last that is within the limit happens.
  var isWithin: Bool
  /// The first that is beyond it happens too.
  var isBeyond: Bool

  static let kept = Edge(isWithin: true, isBeyond: false)
}

/// Every limit of the daemon at its edge. Another limit fails until it has its row.
@Suite struct LimitEdgeTests {
  enum Limit: String, CaseIterable {
    case clientsMax, requestsPerClientMax, bufferBytesMax, memoryBytesMax, queueRequestsMax
    case waitTimeout, requestTimeout, shutdownTimeout, queuedNoticeAfter
    case affinityEntriesMax, interactiveWeight
    /// Judged where lines are read.
    case lineBytesMax, nestingMax
  }

  @Test func everyLimitHasARow() {
    let names = Mirror(reflecting: Limits()).children.compactMap(\.label)
    #expect(Set(names) == Set(Limit.allCases.map(\.rawValue)))
  }

  @Test(arguments: Limit.allCases)
  func itIsKeptAtItsEdge(limit: Limit) {
    let edge: Edge? =
      switch limit {
      case .clientsMax: clients
      case .requestsPerClientMax: requestsOfAClient
      case .bufferBytesMax: bytesUnread
      case .memoryBytesMax: memory
      case .queueRequestsMax: queue
      case .waitTimeout: wait
      case .requestTimeout: request
      case .shutdownTimeout: shutdown
      case .queuedNoticeAfter: notice
      case .affinityEntriesMax: affinity
      case .interactiveWeight: weight
      case .lineBytesMax, .nestingMax: nil
      }
    #expect(edge ?? .kept == .kept)
  }

  private var clients: Edge {
    var fixture = BrokerFixture(clients: 2, limits: .with { $0.clientsMax = 3 })
    return Edge(isWithin: fixture.connect(3).isEmpty, isBeyond: fixture.connect(4).isEmpty)
  }

  private var requestsOfAClient: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.requestsPerClientMax = 2 })
    fixture.ask("a")
    return Edge(isWithin: fixture.ask("b").isAccepted, isBeyond: fixture.ask("c").isAccepted)
  }

  private var bytesUnread: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.bufferBytesMax = 100 })
    fixture.run("a", response: "r1", as: 1)
    return Edge(
      isWithin: fixture.event(.text, unread: 99) == [.deliver(1)],
      isBeyond: fixture.event(.text, unread: 100).contains(.deliver(1)))
  }

  private var memory: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.memoryBytesMax = 100 })
    return Edge(
      isWithin: fixture.ask("a", memoryHeld: 100).isAccepted,
      isBeyond: fixture.ask("b", memoryHeld: 101).isAccepted)
  }

  private var queue: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.queueRequestsMax = 2 })
    for id in ["a", "b"] as [ByteString] { fixture.ask(id) }
    return Edge(isWithin: fixture.ask("c").isAccepted, isBeyond: fixture.ask("d").isAccepted)
  }

  private var wait: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.waitTimeout = .seconds(1) })
    for id in ["a", "b"] as [ByteString] { fixture.ask(id) }
    return Edge(
      isWithin: !fixture.deadline(at: 999).contains(where: \.isFinish),
      isBeyond: !fixture.deadline(at: 1_000).contains(where: \.isFinish))
  }

  private var request: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.requestTimeout = .seconds(1) })
    fixture.run("a", response: "r1", as: 1)
    return Edge(
      isWithin: !fixture.deadline(at: 999).contains(where: \.isFinish),
      isBeyond: !fixture.deadline(at: 1_000).contains(where: \.isFinish))
  }

  private var shutdown: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.shutdownTimeout = .seconds(1) })
    fixture.run("a", response: "r1", as: 1)
    fixture.terminate()
    return Edge(
      isWithin: !fixture.deadline(at: 999).contains(.stop),
      isBeyond: !fixture.deadline(at: 1_000).contains(.stop))
  }

  private var notice: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.queuedNoticeAfter = .seconds(1) })
    for id in ["a", "b"] as [ByteString] { fixture.ask(id) }
    return Edge(
      isWithin: fixture.deadline(at: 999).isEmpty, isBeyond: fixture.deadline(at: 1_000).isEmpty)
  }

  /// Three responses, of which two are remembered.
  private var affinity: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.affinityEntriesMax = 2 })
    for (number, id) in [(1, "r1"), (2, "r2"), (3, "r3")] as [(RequestNumber, ByteString)] {
      fixture.serve(id, response: id, as: number)
    }
    func place(_ id: ByteString) -> Affinity.Place? {
      let key = Affinity.ResponseKey(uid: 1000, response: id)
      return fixture.broker.upstreams[0].affinity.origin(of: key)?.place
    }
    return Edge(isWithin: place("r2") != nil && place("r3") != nil, isBeyond: place("r1") != nil)
  }

  private var weight: Edge {
    var fixture = BrokerFixture.single(limits: .with { $0.interactiveWeight = 2 })
    fixture.run("x", response: "r1", as: 1)
    fixture.ask("b") { $0.priority = .batch }
    for id in ["i", "j", "k"] as [ByteString] { fixture.ask(id) }
    var order: [RequestNumber] = []
    while case .send(let next, _, _) = fixture.event(.ended()).last {
      order.append(next)
      fixture.handedOver(next)
      fixture.event(.created(ByteString("s\(next.rawValue)".utf8)))
    }
    return Edge(isWithin: order.prefix(2) == [3, 4], isBeyond: order.dropFirst(2).first != 2)
  }
}

/// Every limit of an upstream at its edge. Another limit fails until it has its row.
@Suite struct UpstreamLimitEdgeTests {
  enum Limit: String, CaseIterable {
    case connectionsWarm, connectionsMax, lanes, dialsMax, pingInterval, pongTimeout, probeTimeout
    case idleLimit, ageLimit, ageMargin, shrinkAfter, patience, circuitAfter, abandonedTimeout
    case steerTimeout
    /// Judged where sockets are read and written; and what is no limit.
    case connectTimeout, messageBytesMax, eventBytesMax, cancel, rateLimits
  }

  @Test func everyLimitHasARow() {
    let names = Mirror(reflecting: UpstreamLimits()).children.compactMap(\.label)
    #expect(Set(names) == Set(Limit.allCases.map(\.rawValue)))
  }

  @Test(arguments: Limit.allCases)
  func itIsKeptAtItsEdge(limit: Limit) {
    let edge: Edge? =
      switch limit {
      case .connectionsWarm: warm
      case .connectionsMax: connections
      case .lanes: lanes
      case .dialsMax: dials
      case .pingInterval: ping
      case .pongTimeout: pong
      case .probeTimeout: probe
      case .idleLimit: idle
      case .ageLimit: age
      case .ageMargin: margin
      case .shrinkAfter: shrink
      case .patience: patience
      case .circuitAfter: circuit
      case .abandonedTimeout: abandoned
      case .steerTimeout: steer
      case .connectTimeout, .messageBytesMax, .eventBytesMax, .cancel, .rateLimits: nil
      }
    #expect(edge ?? .kept == .kept)
  }

  /// No ping and no surplus comes between.
  private func quiet(_ change: (inout UpstreamLimits) -> Void) -> BrokerFixture {
    .single {
      $0.pingInterval = .seconds(1_000_000)
      $0.shrinkAfter = .seconds(1_000_000)
      change(&$0)
    }
  }

  private var warm: Edge {
    var fixture = BrokerFixture { $0.connectionsWarm = 3 }
    let dials = fixture.start()
    return Edge(isWithin: dials.contains(.dial(3, 0)), isBeyond: dials.contains(.dial(4, 0)))
  }

  private var connections: Edge {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 0
      $0.connectionsMax = 2
    }
    let first = fixture.ask("a")
    return Edge(
      isWithin: first.contains(.dial(1, 0)) && fixture.ask("b").contains(.dial(2, 0)),
      isBeyond: fixture.ask("c").contains(.dial(3, 0)))
  }

  private var lanes: Edge {
    var fixture = BrokerFixture.running(2, of: 3)
    return Edge(
      isWithin: fixture.ask("c").contains(.send(3, on: 1, lane: 2)),
      isBeyond: fixture.ask("d").contains { if case .send = $0 { true } else { false } })
  }

  private var dials: Edge {
    var fixture = BrokerFixture {
      $0.connectionsWarm = 0
      $0.dialsMax = 2
    }
    fixture.ask("a")
    return Edge(
      isWithin: fixture.ask("b").contains(.dial(2, 0)),
      isBeyond: fixture.ask("c").contains(.dial(3, 0)))
  }

  private var ping: Edge {
    var fixture = BrokerFixture.single { $0.pingInterval = .seconds(10) }
    fixture.pass(to: 5_000)
    return Edge(
      isWithin: fixture.deadline(at: 9_999).isEmpty,
      isBeyond: fixture.deadline(at: 10_000).isEmpty)
  }

  private var pong: Edge {
    var fixture = BrokerFixture.single {
      $0.pingInterval = .seconds(10)
      $0.pongTimeout = .seconds(5)
    }
    fixture.pass(to: 10_000)
    return Edge(
      isWithin: fixture.deadline(at: 14_999).isEmpty,
      isBeyond: fixture.deadline(at: 15_000).isEmpty)
  }

  private var probe: Edge {
    var fixture = BrokerFixture.single { $0.probeTimeout = .seconds(2) }
    fixture.networkChanged(at: 5_000)
    return Edge(
      isWithin: fixture.deadline(at: 6_999).isEmpty,
      isBeyond: fixture.deadline(at: 7_000).isEmpty)
  }

  /// The connection's jitter is known: it shortens the limit by so much.
  private func closes(_ fixture: inout BrokerFixture, at instant: Int) -> Bool {
    fixture.deadline(at: instant).contains(where: \.isClose)
  }

  private var idle: Edge {
    var fixture = quiet { $0.idleLimit = .seconds(100) }
    let end = fixture.pool.connections[1]?.ages.idleEnd.ceiling ?? 0
    let isNear = (97_500...100_000).contains(end)
    return Edge(
      isWithin: isNear && !closes(&fixture, at: end - 1), isBeyond: !closes(&fixture, at: end))
  }

  private var age: Edge {
    var fixture = quiet {
      $0.idleLimit = .seconds(1_000_000)
      $0.ageLimit = .seconds(100)
    }
    let end = fixture.pool.connections[1]?.ages.ageEnd.ceiling ?? 0
    let isNear = (97_500...100_000).contains(end)
    return Edge(
      isWithin: isNear && !closes(&fixture, at: end - 1), isBeyond: !closes(&fixture, at: end))
  }

  /// A new response goes elsewhere in the last of a connection's life, if it can.
  private var margin: Edge {
    var fixture = BrokerFixture.warm(clients: 2, continuation: .anywhere) {
      $0.pingInterval = .seconds(1_000_000)
      $0.shrinkAfter = .seconds(1_000_000)
      $0.idleLimit = .seconds(1_000_000)
      $0.ageLimit = .seconds(1_000)
      $0.ageMargin = .seconds(60)
      $0.connectionsMax = 2
    }
    fixture.run("a", response: "r1", as: 1)
    fixture.opened(2, at: 10_000)
    fixture.event(.ended())
    guard let first = fixture.pool.connections[1] else {
      return Edge(isWithin: false, isBeyond: false)
    }
    let end = first.ages.ageEnd.ceiling - first.ages.marginAt.ceiling
    let margin = first.ages.marginAt.ceiling
    var later = fixture
    return Edge(
      isWithin: end == 60_000
        && fixture.ask("b", from: 2, at: margin - 1).contains(.send(2, on: 1, lane: nil)),
      isBeyond: later.ask("b", from: 2, at: margin).contains(.send(2, on: 1, lane: nil)))
  }

  private var shrink: Edge {
    var fixture = BrokerFixture.warm {
      $0.pingInterval = .seconds(1_000_000)
      $0.shrinkAfter = .seconds(100)
    }
    fixture.run("a", response: "r1", as: 1)
    fixture.opened(2, at: 5_000)
    fixture.event(.ended())
    return Edge(
      isWithin: !closes(&fixture, at: 104_999), isBeyond: !closes(&fixture, at: 105_000))
  }

  private var patience: Edge {
    var fixture = BrokerFixture.warm(clients: 2, continuation: .anywhere) {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
      $0.patience = .milliseconds(20)
    }
    fixture.serve("a", response: "r1", as: 1) { $0.promptCacheKey = "k" }
    fixture.run("x", response: "r2", as: 2, from: 2)
    fixture.ask("b") { $0.promptCacheKey = "k" }
    return Edge(
      isWithin: fixture.deadline(at: 19).isEmpty, isBeyond: fixture.deadline(at: 20).isEmpty)
  }

  private var circuit: Edge {
    var pool = UpstreamPool(index: 0, settings: UpstreamSettings(name: "up"), seed: 1)
    for instant in [0, 10_000, 20_000, 29_999] { pool.dialFailed(.refused, at: t(instant)) }
    let isWithin = pool.refusal == nil
    pool.dialFailed(.refused, at: t(30_000))
    return Edge(isWithin: isWithin, isBeyond: pool.refusal == nil)
  }

  private var abandoned: Edge {
    var fixture = BrokerFixture.running(2, of: 2) {
      $0.pingInterval = .seconds(1_000_000)
      $0.abandonedTimeout = .seconds(5)
      $0.connectionsMax = 1
    }
    fixture.cancel("q1")
    fixture.cancel("q2")
    return Edge(
      isWithin: !closes(&fixture, at: 7_999), isBeyond: !closes(&fixture, at: 8_000))
  }

  private var steer: Edge {
    var fixture = quiet { $0.steerTimeout = .seconds(5) }
    fixture.run("a", response: "r1", as: 1)
    fixture.control("a")
    fixture.event(.ended(.completed, "r1"))
    let end = fixture.now + 5_000
    return Edge(
      isWithin: !closes(&fixture, at: end - 1), isBeyond: !closes(&fixture, at: end))
  }

  // MARK: What is no setting

  @Test func asManyLanesAreNamedAsAServerTakesAtOnce() {
    #expect(LaneName.reference(to: "lane-16".utf8) == .lane(15))
    #expect(LaneName.reference(to: "lane-17".utf8) == .unknown)
  }

  @Test func aDrainIsDroppedAtTheEleventhOfTenSeconds() {
    var pool = UpstreamPool(index: 0, settings: UpstreamSettings(name: "up"), seed: 1)
    let drops = (0..<11).map { _ in pool.dropAllowed(at: t(0)) }
    #expect(drops == Array(repeating: true, count: 10) + [false])
  }

  @Test func whereResponsesAreDrainedNoneIsDropped() {
    var limits = UpstreamLimits()
    limits.cancel = .drain
    let settings = UpstreamSettings(name: "up", limits: limits)
    var pool = UpstreamPool(index: 0, settings: settings, seed: 1)
    let isDropped = pool.dropAllowed(at: t(0))
    #expect(isDropped == false)
  }

  @Test(arguments: CancelPolicy.allCases)
  func aCancelledResponseIsDroppedOrDrainedAsConfigured(policy: CancelPolicy) {
    var fixture = BrokerFixture.single { $0.cancel = policy }
    fixture.run("a", response: "r1", as: 1)
    let end = Action.finish(
      1, nil, done(.cancelled, on: 1, reused: true, response: "r1", firstEvent: 0, events: 1))
    switch policy {
    case .drop:
      #expect(fixture.cancel("a") == [end, .closeConnection(1, .abandoned), .dial(2, 0)])
    case .drain:
      #expect(fixture.cancel("a") == [end])
      #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
      #expect(fixture.event(.text) == [])
      #expect(fixture.event(.ended(.completed, "r1")) == [.send(2, on: 1, lane: nil)])
    case .ask:
      #expect(fixture.cancel("a") == [end, .cancelResponse("r1", on: 1)])
    }
  }
}

extension [Action] {
  /// The line at hand has become a request.
  var isAccepted: Bool {
    if case .accept = first { return true }
    return false
  }
}
