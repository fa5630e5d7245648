import HotlineCore

/// The real broker between simulated clients and simulated servers on a virtual clock.
///
/// One seed, one run: nothing depends on real time, the order of a hash table, or another run. It
/// stops at the first violation of a promise.
package final class Simulation {
  /// What the input that is being handled brought: the core calls it "at hand".
  enum AtHand {
    case nothing
    case line(ClientNumber, answers: Int)
    case message(ConnectionNumber, Message)
  }

  enum Phase { case acting, peaceful, over }

  static let stepsMax = 200_000

  package let seed: UInt64
  var scenario: Scenario
  var random: Chance
  /// A second source, so that drawing from it leaves the rest of a run as it is.
  var second: Chance
  /// A third one, for the same reason.
  var third: Chance
  /// And a fourth.
  var fourth: Chance
  /// What clients say about their responses, and what comes of it.
  var fifth: Chance
  /// And a sixth, for warm-ups.
  var sixth: Chance
  /// And a seventh, for what is not to be stored.
  var seventh: Chance
  var broker: Broker
  var agenda = Agenda()
  var phase = Phase.acting

  /// Nanoseconds since the start of the run.
  var now: Int64 = 1
  package internal(set) var step = 0
  /// When the driver's one timer fires, and the deadline that it was armed for.
  var timer: (deadline: Int64, firesAt: Int64)?
  var timerCalledAt: Int64 = 0
  /// When the clock last leapt, and with it past whatever was due.
  var leaptAt: Int64 = -1
  var atHand = AtHand.nothing

  var clients: [ClientNumber: SimulatedClient] = [:]
  var connections: [ConnectionNumber: SimulatedConnection] = [:]
  var requests: [RequestNumber: TrueRequest] = [:]
  /// The open ones of `requests`.
  var open: Set<RequestNumber> = []
  /// Those of `connections` that are not gone.
  var present: Set<ConnectionNumber> = []
  var nextClient: UInt64 = 1
  var nextCommand: UInt64 = 1
  var nextResponse = 1
  /// The lane that made each response.
  var makers: [ByteString: Maker] = [:]
  /// Those of them that exist only where they were made, whatever others do.
  var unstored: Set<ByteString> = []
  var conversationTurns: [ConversationKey: [RequestNumber]] = [:]
  var dials: [DialHistory] = []
  var interactiveInARow: [Int] = []
  /// The request whose line is at hand.
  var arriving: NewRequest?
  var arrivingBytes = 0
  var asked = Asked.nothing
  /// Bytes that the driver holds: lines that may be sent again, events that wait unread.
  var memoryHeld = 0
  var memoryBase = 0
  /// The same with the line at hand.
  var memoryAtHand = 0
  /// Requests that ended in this step, though their responses go on.
  var unwanted: [RequestNumber] = []
  /// Requests that were sent and wait for another connection.
  var returned: Set<RequestNumber> = []
  /// Requests that must have ended when this step is over.
  var toEnd: [RequestNumber] = []
  /// In this step a connection may have been lost.
  var mayHaveReturned = false
  var pingedOutOfTurn: ConnectionNumber?
  /// By upstream.
  var memories: [ResponseMemory] = []
  /// By upstream: what its server said of its limits.
  var rations: [Rations] = []
  /// By upstream: how its warm-ups fared since the latest reload.
  var warmUps: [TrueWarmUps] = []
  /// Requests that went to another upstream in this step, and where they were.
  var movedInStep: [(request: RequestNumber, from: UpstreamIndex)] = []
  /// By upstream: when unwanted responses were dropped lately.
  var drops: [[(instant: Int64, isSure: Bool)]] = []
  var isTerminating = false
  var terminationEndsAt: Int64 = 0
  var isDraining = false
  /// A reload is at hand.
  var isReloading = false
  /// A change of the network is at hand.
  var isChangingNetwork = false
  var commands: [CommandNumber: SimulatedCommand] = [:]
  var reloads = ReloadQueue()
  var reloadsAsked: [CommandNumber: ReloadAsked] = [:]
  var isReadingConfiguration = false
  /// How often the configuration has been changed, what the latest signal meant, and what is in
  /// force.
  var configurationVersion = 0
  var signalledVersion = 0
  var appliedVersion = 0
  /// The connections that last served each client, and each prompt-cache key.
  var servedClients: [ClientNumber: ConnectionNumber] = [:]
  var servedKeys: [PromptCacheKey: ConnectionNumber] = [:]
  /// Their servers have shown that they know no lanes, and no reload came since.
  var laneless: Set<UpstreamIndex> = []
  /// Those of which the core has said so.
  var saidLaneless: Set<UpstreamIndex> = []
  var quietTally: Tally?
  var isStopped = false
  package internal(set) var tally = Tally()
  /// What the broker did against a promise, if it did.
  package internal(set) var violation: String?
  /// Takes the run in words, line by line.
  private let trace: ((String) -> Void)?

  struct ConversationKey: Hashable {
    var uid: UInt32
    var upstream: UpstreamIndex
    var name: ByteString
  }

  struct PromptCacheKey: Hashable {
    var uid: UInt32
    var upstream: UpstreamIndex
    var key: ByteString
  }

  struct Maker: Hashable {
    var connection: ConnectionNumber
    var lane: Int
  }

  /// Counts of a run: they bound idle work, and show that a run was no empty one.
  package struct Tally: Equatable {
    package var accepted = 0
    package var refused = 0
    package var finished = 0
    package var delivered = 0
    package var dials = 0
    package var resent = 0
    package var failedOver = 0
    package var held = 0
    package var warmedUp = 0
    package var opened = 0
    package var timerCalls = 0
    package var emptyTimerCalls = 0
    package var timerCallsAtThisInstant = 0
    package var digest: UInt64 = 0xCBF2_9CE4_8422_2325
  }

  package init(seed: UInt64, trace: ((String) -> Void)? = nil) {
    self.seed = seed
    self.trace = trace
    var random = Chance(seed: seed)
    var second = Chance(seed: ~seed)
    var third = Chance(seed: seed ^ 0x5555_5555_5555_5555)
    var fourth = Chance(seed: seed ^ 0x3333_3333_3333_3333)
    var fifth = Chance(seed: seed ^ 0x0F0F_0F0F_0F0F_0F0F)
    var sixth = Chance(seed: seed ^ 0x00FF_00FF_00FF_00FF)
    var seventh = Chance(seed: seed ^ 0x0000_FFFF_0000_FFFF)
    var scenario = Scenario(from: &random, &second)
    scenario.drawStillMore(&third)
    scenario.drawRationsAndFailover(&fourth)
    scenario.drawSteering(&fifth)
    scenario.drawWarmUps(&sixth)
    scenario.drawUnstored(&seventh)
    scenario.drawIgnorance(&seventh)
    self.random = random
    self.second = second
    self.third = third
    self.fourth = fourth
    self.fifth = fifth
    self.sixth = sixth
    self.seventh = seventh
    self.scenario = scenario
    broker = Broker(
      limits: scenario.limits, upstreams: scenario.upstreams, ownerUID: 1000, seed: seed)
    for _ in scenario.upstreams { addUpstream() }
  }

  /// What is known of an upstream that is configured from now on.
  func addUpstream() {
    dials.append(DialHistory())
    memories.append(ResponseMemory())
    rations.append(Rations())
    warmUps.append(TrueWarmUps())
    drops.append([])
    interactiveInARow.append(0)
  }

  var isTraced: Bool { trace != nil }

  var instant: MonotonicInstant { MonotonicInstant(nanoseconds: now) }

  /// Runs to the end, or to the first violation.
  package func run() {
    plan()
    feed("started") { $0.started(at: instant) }
    while violation == nil, !isStopped, phase != .over {
      guard let next = agenda.nextInstant else { return complain("nothing is planned any more") }
      if let timer, timer.firesAt < next {
        advance(to: timer.firesAt)
        callTimer("timer")
      } else {
        advance(to: next)
        if let occurrence = agenda.popFirst() { handle(occurrence) }
      }
    }
  }

  private func advance(to instant: Int64) {
    guard instant > now else { return }
    now = instant
    tally.timerCallsAtThisInstant = 0
  }

  private func plan() {
    for _ in 0..<scenario.clientsCount {
      let client = ClientNumber(nextClient)
      nextClient += 1
      agenda.plan(.clientConnects(client), at: random.time(0, .seconds(3)))
    }
    for (index, server) in scenario.servers.enumerated() {
      for outage in server.outages where outage.from < scenario.activeNanoseconds {
        agenda.plan(.outageBegins(UpstreamIndex(index)), at: outage.from)
      }
    }
    for _ in 0..<scenario.earlyTimers {
      agenda.plan(.timerComesEarly, at: random.time(0, scenario.activeNanoseconds))
    }
    if let terminatesAt = scenario.terminatesAt {
      agenda.plan(.terminationIsRequested, at: terminatesAt)
      if scenario.terminatesTwice {
        agenda.plan(.terminationIsRequested, at: terminatesAt + random.time(0, .seconds(40)))
      }
    }
    planChanges()
    // Every wait is bounded: a request by its timeout, a circuit and a Retry-After by ten minutes.
    let peaceAt = scenario.activeNanoseconds
    let longest =
      scenario.changes.reloads > 0 || scenario.changes.drains > 0
      ? .seconds(300) : scenario.limits.requestTimeout.nanoseconds
    let overAt = peaceAt + longest + .seconds(1)
    agenda.plan(.peaceBegins, at: peaceAt)
    agenda.plan(.requestsAreOver, at: overAt)
    let mayRefuse = scenario.servers.contains { !$0.outages.isEmpty || $0.faults.dialFails > 0 }
    // An unwanted response is read for abandonedTimeout after its request is over.
    let warmAt = max(overAt + .seconds(70), peaceAt + .seconds(mayRefuse ? 11 * 60 : 60))
    agenda.plan(.poolIsWarm, at: warmAt)
    agenda.plan(.quietEnds, at: warmAt + .seconds(180))
  }

  // MARK: Inputs

  /// One step: an input to the core, its actions performed in order, everything checked.
  func feed(_ input: @autoclosure () -> String, _ call: (inout Broker) -> [Action]) {
    guard violation == nil, !isStopped else { return }
    noteWaitingInVain()
    step += 1
    if isTraced { note("← \(input())") }
    let actions = call(&broker)
    noteFailovers()
    for action in actions where violation == nil {
      if isTraced { note("    → \(describe(action))") }
      perform(action)
    }
    guard violation == nil else { return }
    checkAfterStep()
    armTimer()
    atHand = .nothing
    if step > Self.stepsMax { complain("the run takes more than \(Self.stepsMax) steps") }
  }

  func callTimer(_ name: String) {
    tally.timerCalls += 1
    tally.timerCallsAtThisInstant += 1
    let instant = instant
    timer = nil
    for number in present { spendLanes(of: number) }
    noteWaitingInVain(isSure: true)
    feed(name) { broker in
      let actions = broker.deadlineReached(at: instant)
      if actions.isEmpty { tally.emptyTimerCalls += 1 }
      return actions
    }
    timerCalledAt = now
    if violation == nil, !isStopped { checkDeadlines() }
  }

  /// The clock is where it is after a machine's sleep.
  func jump(by nanoseconds: Int64) {
    now += nanoseconds
    leaptAt = now
  }

  private func armTimer() {
    guard let deadline = broker.nextDeadline(at: instant)?.nanoseconds else {
      timer = nil
      return
    }
    guard timer?.deadline != deadline else { return }
    let late = scenario.timerLateMax > 0 ? random.time(0, scenario.timerLateMax) : 0
    // Late as one that is due already would have been, had it been the first from the beginning.
    timer = (deadline, max(deadline + late, now))
  }

  func complain(_ what: String) {
    guard violation == nil else { return }
    violation = what
    if isTraced { note("!!! \(what)") }
  }

  func note(_ line: String) {
    trace?("#\(step) \(seconds(now)) \(line)")
  }

  private func seconds(_ nanoseconds: Int64) -> String {
    let micros = nanoseconds / 1000
    return "\(micros / 1_000_000).\(String(1_000_000 + micros % 1_000_000).dropFirst())s"
  }
}

extension Duration {
  /// Whole nanoseconds; the simulated durations are far from the limits of 64 bits.
  var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}
