import Testing

@testable import HotlineCore

/// Requests that prefer a connection for the sake of its prompt cache, and must not pay for it.
@Suite struct BrokerSoftAffinityTests {
  /// What makes a request prefer the connection that served the one before.
  enum Habit: CaseIterable {
    case conversation, promptCacheKey, client

    func apply(to spec: inout NewRequest) {
      switch self {
      case .conversation: spec.conversation = "c"
      case .promptCacheKey: spec.promptCacheKey = "k"
      case .client: break
      }
    }
  }

  /// Client 1 was served by connection 2, as number 2, when client 2 ran number 1 on connection 1;
  /// both are idle again, the second since later.
  private func served(
    _ habit: Habit, _ continuation: UpstreamSettings.Continuation = .anywhere,
    limits: Limits = Limits(), _ change: (inout UpstreamLimits) -> Void = { _ in }
  ) -> BrokerFixture {
    var fixture = busy(habit, continuation, limits: limits, change)
    fixture.event(.ended(.completed, "r1"), on: 1, at: 3_010)
    fixture.event(.ended(.completed, "r2"), on: 2, at: 3_020)
    return fixture
  }

  private func busy(
    _ habit: Habit, _ continuation: UpstreamSettings.Continuation = .anywhere,
    limits: Limits = Limits(), _ change: (inout UpstreamLimits) -> Void = { _ in }
  ) -> BrokerFixture {
    var fixture = BrokerFixture.warm(clients: 3, continuation: continuation, limits: limits) {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
      change(&$0)
    }
    fixture.pass(to: 3_000)
    fixture.run("o", response: "r1", as: 1, on: 1, from: 2)
    fixture.run("a", response: "r2", as: 2, on: 2) { habit.apply(to: &$0) }
    return fixture
  }

  /// The same, when client 2 runs number 3 on connection 2, and connection 1 is free.
  private func taken(
    _ habit: Habit, _ continuation: UpstreamSettings.Continuation = .anywhere,
    by client: ClientNumber = 2, _ change: (inout UpstreamLimits) -> Void = { _ in }
  ) -> BrokerFixture {
    var fixture = busy(habit, continuation, change)
    fixture.event(.ended(.completed, "r2"), on: 2)
    fixture.run("x", response: "r3", as: 3, on: 2, from: client)
    fixture.event(.ended(.completed, "r1"), on: 1)
    return fixture
  }

  private func askAgain(
    _ fixture: inout BrokerFixture, _ habit: Habit, _ id: ByteString = "b", at instant: Int? = nil
  ) -> [Action] {
    fixture.ask(id, at: instant) { habit.apply(to: &$0) }
  }

  // MARK: Where it goes

  @Test(arguments: Habit.allCases)
  func itReturnsToItsConnectionThoughAnotherComesFirst(habit: Habit) {
    var fixture = served(habit)
    #expect(
      askAgain(&fixture, habit) == [.accept(3, madeID: nil), .send(3, on: 2, lane: nil)])
  }

  /// Habits of a client that says nothing are not counted.
  @Test(arguments: [Habit.conversation, .promptCacheKey])
  func whereItWasSentIsCounted(habit: Habit) {
    var fixture = served(habit)
    _ = askAgain(&fixture, habit)
    #expect(fixture.broker.counters.affinityHits == 1)
    #expect(fixture.broker.counters.affinityMisses == 0)
    var other = taken(habit)
    _ = askAgain(&other, habit)
    other.pass(to: 4_000)
    #expect(other.broker.counters.affinityHits == 0)
    #expect(other.broker.counters.affinityMisses == 1)
  }

  /// Only what said whose it is may end a chain that is its own.
  @Test(arguments: [(Habit.conversation, UInt64(2)), (.promptCacheKey, 2), (.client, 1)])
  func itEndsItsOwnChainOnly(habit: Habit, connection: UInt64) {
    var fixture = served(habit, .connection)
    #expect(
      askAgain(&fixture, habit) == [
        .accept(3, madeID: nil), .send(3, on: ConnectionNumber(connection), lane: nil),
      ])
  }

  @Test(arguments: Habit.allCases)
  func anotherUsersHabitIsNotIts(habit: Habit) {
    var fixture = served(habit)
    fixture.connect(9, uid: 0)
    #expect(
      fixture.ask("b", from: 9) { habit.apply(to: &$0) }.last == .send(3, on: 1, lane: nil))
  }

  @Test(arguments: Habit.allCases)
  func aConnectionThatIsGoneIsNotWaitedFor(habit: Habit) {
    var fixture = served(habit)
    fixture.closed(2, .reset)
    #expect(
      askAgain(&fixture, habit) == [.accept(3, madeID: nil), .send(3, on: 1, lane: nil)])
  }

  @Test(arguments: Habit.allCases)
  func aConnectionNearItsEndIsNotPreferred(habit: Habit) throws {
    var fixture = served(habit) {
      $0.pingInterval = .seconds(100_000)
      $0.idleLimit = .seconds(100_000)
      $0.ageLimit = .seconds(1_000)
      $0.ageMargin = .seconds(100)
    }
    let margin = try #require(fixture.pool.connections[2]?.ages.marginAt.ceiling)
    var later = fixture
    #expect(askAgain(&fixture, habit, at: margin - 1).last == .send(3, on: 2, lane: nil))
    #expect(askAgain(&later, habit, at: margin).contains(.send(3, on: 1, lane: nil)))
  }

  @Test func theKeyServedLongestAgoIsForgotten() {
    var fixture = served(.promptCacheKey, limits: .with { $0.affinityEntriesMax = 1 })
    var other = fixture
    #expect(askAgain(&fixture, .promptCacheKey).last == .send(3, on: 2, lane: nil))
    other.serve("p", response: "r3", as: 3, from: 3) { $0.promptCacheKey = "other" }
    #expect(
      other.ask("q", from: 3) { $0.promptCacheKey = "k" }.last == .send(4, on: 1, lane: nil))
  }

  @Test func aConversationIsMoreThanAKey() {
    var fixture = served(.conversation)
    #expect(
      fixture.ask("b") {
        $0.conversation = "c"
        $0.promptCacheKey = "another"
      }.last == .send(3, on: 2, lane: nil))
  }

  // MARK: Patience

  @Test(arguments: Habit.allCases)
  func itWaitsForItsConnectionForItsPatienceOnly(habit: Habit) {
    var fixture = taken(habit)
    #expect(askAgain(&fixture, habit) == [.accept(4, madeID: nil)])
    #expect(fixture.stage(of: 4) == .pinned)
    #expect(fixture.deadline(at: 3_049) == [])
    #expect(fixture.deadline(at: 3_050) == [.send(4, on: 1, lane: nil)])
  }

  /// Who waits for its habit's sake may be first when another comes to the queue.
  @Test func whatIsFreeMayBeSomebodyElses() {
    var fixture = taken(.client)
    fixture.reload(limits: .with { $0.queueRequestsMax = 1 })
    _ = askAgain(&fixture, .client)
    #expect(
      fixture.ask("c", from: 3) == [.refuse(3, failure(.queueFull, retryable: true))])
    #expect(fixture.deadline(at: 3_050) == [.send(4, on: 1, lane: nil)])
  }

  @Test(arguments: Habit.allCases)
  func withoutPatienceItTakesAnyAtOnce(habit: Habit) {
    var fixture = taken(habit) { $0.patience = .zero }
    #expect(
      askAgain(&fixture, habit) == [.accept(4, madeID: nil), .send(4, on: 1, lane: nil)])
  }

  @Test(arguments: Habit.allCases)
  func itGetsItsConnectionIfThatIsFreeInTime(habit: Habit) {
    var fixture = taken(habit)
    _ = askAgain(&fixture, habit)
    #expect(
      fixture.event(.ended(.completed, "r3"), on: 2, at: 3_049).last
        == .send(4, on: 2, lane: nil))
    #expect(fixture.deadline(at: 3_050) == [])
  }

  @Test(arguments: Habit.allCases)
  func whenItsConnectionEndsItTakesAny(habit: Habit) {
    var fixture = taken(habit)
    _ = askAgain(&fixture, habit)
    #expect(fixture.closed(2, .reset, at: 3_010).contains(.send(4, on: 1, lane: nil)))
  }

  @Test(arguments: Habit.allCases)
  func whenItsConnectionRetiresItTakesAny(habit: Habit) {
    var fixture = taken(habit)
    _ = askAgain(&fixture, habit)
    fixture.control("x", .interrupt, by: 2)
    #expect(
      fixture.event(.ended(.completed, "r3"), on: 2).contains(.send(4, on: 1, lane: nil)))
  }

  /// The lane that gets free has a chain that somebody else may want to continue.
  @Test(arguments: Habit.allCases)
  func itDoesNotWaitBesideALaneThatItMayNotTake(habit: Habit) {
    var fixture = taken(habit, .connection)
    #expect(askAgain(&fixture, habit) == [.accept(4, madeID: nil)])
    #expect(
      fixture.event(.ended(.completed, "r3"), on: 2, at: 3_010).last
        == .send(4, on: 1, lane: nil))
  }

  @Test func aSingleConnectionIsNotLeftIdleForTheSakeOfAChain() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.serve("a", response: "r1", as: 1) { $0.promptCacheKey = "k" }
    fixture.run("x", response: "r2", as: 2, from: 2)
    #expect(fixture.ask("b") { $0.promptCacheKey = "k" } == [.accept(3, madeID: nil)])
    #expect(
      fixture.event(.ended(.completed, "r2"), at: 10).last == .send(3, on: 1, lane: nil))
  }

  // MARK: Its own requests

  @Test func aClientDoesNotWaitForItsOwnRequests() {
    var fixture = taken(.client, by: 1)
    #expect(
      askAgain(&fixture, .client) == [.accept(4, madeID: nil), .send(4, on: 1, lane: nil)])
  }

  @Test(arguments: [Habit.conversation, .promptCacheKey])
  func aConversationWaitsForItsClientsOtherRequests(habit: Habit) {
    var fixture = taken(habit, by: 1)
    #expect(askAgain(&fixture, habit) == [.accept(4, madeID: nil)])
    #expect(fixture.deadline(at: 3_050) == [.send(4, on: 1, lane: nil)])
  }

  @Test func theSecondRequestOfAClientBringsTheFirstToTheQueueToo() {
    var fixture = taken(.client)
    #expect(fixture.ask("b") == [.accept(4, madeID: nil)])
    #expect(fixture.stage(of: 4) == .pinned)
    #expect(fixture.ask("c") == [.accept(5, madeID: nil), .send(5, on: 1, lane: nil)])
    #expect(fixture.stage(of: 4) == .queued)
  }

  // MARK: Others

  @Test func aHabitDoesNotOvertakeWhoJustWaits() {
    var fixture = BrokerFixture.single(clients: 3, continuation: .anywhere)
    fixture.serve("a", response: "r1", as: 1)
    fixture.run("x", response: "r2", as: 2, from: 2)
    #expect(fixture.ask("q", from: 3) == [.accept(3, madeID: nil)])
    #expect(fixture.ask("b") == [.accept(4, madeID: nil)])
    #expect(fixture.stage(of: 4) == .queued)
    #expect(fixture.event(.ended()).last == .send(3, on: 1, lane: nil))
  }

  @Test func whoJustWaitsDoesNotOvertakeAHabitThatWaitedBefore() {
    var fixture = BrokerFixture.single(clients: 3, continuation: .anywhere)
    fixture.serve("a", response: "r1", as: 1)
    fixture.run("x", response: "r2", as: 2, from: 2)
    #expect(fixture.ask("b") == [.accept(3, madeID: nil)])
    #expect(fixture.stage(of: 3) == .pinned)
    #expect(fixture.ask("q", from: 3) == [.accept(4, madeID: nil)])
    #expect(fixture.stage(of: 3) == .queued)
    #expect(fixture.event(.ended()).last == .send(4, on: 1, lane: nil))
  }

  @Test func whatPrefersAConnectionIsNotServedTwiceInARowWhileOthersWait() {
    var fixture = BrokerFixture.single(clients: 3, continuation: .anywhere) {
      $0.patience = .seconds(10)
    }
    fixture.serve("a", response: "r1", as: 1) { $0.promptCacheKey = "k" }
    fixture.run("x", response: "r2", as: 2, from: 2)
    for id in ["b", "c", "d"] as [ByteString] { fixture.ask(id) { $0.promptCacheKey = "k" } }
    for id in ["p", "q"] as [ByteString] { fixture.ask(id, from: 3) }
    var order: [RequestNumber] = []
    var running: RequestNumber = 2
    while let action = fixture.event(.ended(.completed, nil)).last,
      case .send(let next, _, _) = action
    {
      order.append(next)
      running = next
      fixture.handedOver(running)
      fixture.event(.created(ByteString("s\(running.rawValue)".utf8)))
    }
    #expect(order == [3, 6, 4, 7, 5])
  }

  // MARK: Lanes

  @Test func allLanesAreUsedAtOnceThoughSomePreferThem() {
    var fixture = BrokerFixture.lanes(4, clients: 3)
    fixture.ask("a") { $0.promptCacheKey = "k" }
    for id in ["b", "c"] as [ByteString] { fixture.ask(id) { $0.promptCacheKey = "k" } }
    fixture.ask("q", from: 2)
    fixture.handedOver(1)
    #expect(
      fixture.event(.created("r1").of(.lane(0))) == [
        .deliver(1), .send(2, on: 1, lane: 1), .send(4, on: 1, lane: 2),
        .send(3, on: 1, lane: 3),
      ])
  }

  @Test func aHabitTakesALaneOfItsConnectionOfWhichNoResponseIsContinued() {
    var fixture = BrokerFixture.lanes(3)
    fixture.runOnLane(0) { $0.promptCacheKey = "k" }
    fixture.runOnLane(1) { $0.conversation = "c" }
    fixture.endOnLane(1)
    #expect(
      fixture.ask("b", from: 2) { $0.promptCacheKey = "k" }.last == .send(3, on: 1, lane: 2))
    #expect(fixture.ask("d", from: 2) { $0.conversation = "c" }.last == .send(4, on: 1, lane: 1))
  }

  @Test func aHabitLeavesTheChainsOfOthersWhereAnotherConnectionIsFree() {
    var fixture = BrokerFixture.running(2, of: 2) { $0.connectionsMax = 2 }
    fixture.opened(2)
    fixture.endOnLane(0)
    fixture.endOnLane(1)
    // Its client was served by the first, but all lanes there could be continued.
    #expect(fixture.ask("b").last == .send(3, on: 2, lane: 0))
  }

  @Test func aContinuationKeepsTheChainItsOwners() {
    var fixture = BrokerFixture.lanes(2)
    fixture.runOnLane(0) { $0.conversation = "c" }
    fixture.endOnLane(0)
    fixture.run("b", response: "r2", as: 2, lane: .lane(0)) { $0.previousResponseID = "r1" }
    fixture.event(.ended(.completed, "r2").of(.lane(0)))
    let owner = fixture.pool.connections[1]?.lanes[0].chainOwner
    #expect(owner == .conversation(Affinity.ConversationKey(uid: 1000, conversation: "c")))
  }

  @Test func aRequestThatSaysNothingEndsTheOwnership() {
    var fixture = BrokerFixture.single()
    fixture.serve("a", response: "r1", as: 1) { $0.conversation = "c" }
    fixture.serve("b", response: "r2", as: 2)
    #expect(fixture.pool.connections[1]?.lanes[0].chainOwner == nil)
  }
}
