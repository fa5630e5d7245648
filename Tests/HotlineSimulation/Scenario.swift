import HotlineCore

/// The make-up of one run, drawn from its seed: limits, servers, clients and what goes wrong.
struct Scenario {
  var limits = Limits()
  var upstreams: [UpstreamSettings] = []
  var servers: [ServerTraits] = []
  var clientsCount = 3
  var client = ClientTraits()
  /// How long clients act and servers misbehave.
  var activeNanoseconds: Int64 = .seconds(60)
  /// Lateness of the timer, at most.
  var timerLateMax: Int64 = 0
  var terminatesAt: Int64?
  var terminatesTwice = false
  var earlyTimers = 0
  /// Messages that arrive after the driver was told to close their connection are still passed on.
  var passesStaleMessages = false
  /// By upstream: a reload took it out of the configuration.
  var isRemoved: [Bool] = []
  var changes = Changes()
  /// Nothing but age ends a connection.
  var isOldAge = false
  /// Reloads change the limits that they otherwise leave.
  var reloadsAll = false
  /// Long answers in many small pieces.
  var isChatty = false

  /// How one upstream's server behaves.
  struct ServerTraits {
    var outages: [Outage] = []
    /// Its responses begin with their id.
    var identifies = true
    var greets = false
    var lanes = LaneManners.echoes
    /// After an error for the whole connection it still answers what it has not begun.
    var goesOnAfterRefusal = false
    var warmUps = WarmUpManners.answers
    /// It takes messages about running responses.
    var knowsControls = true
    var faults = Faults()
  }

  struct Outage {
    var from: Int64
    var until: Int64
    var fault: DialFault
    /// Open connections break when it begins.
    var cutsConnections: Bool
  }

  /// What goes wrong, each in so many of a thousand cases.
  struct Faults {
    var dialFails = 0
    var connectionIsLost = 0
    var fallsSilent = 0
    var forgetsRequest = 0
    var refusesForConnection = 0
    var answersWithError = 0
    var errorInResponse = 0
    var unusableMessage = 0
    var lateEvents = 0
    var duplicates = 0
    var idleNoise = 0
    var strayResponses = 0
    var lossBeforeHandOver = 0
    var namesWrongLane = 0
    var refusesConnection = 0
    /// It says what is left of its limits with an answer.
    var saysLimits = 0
  }

  /// What a server does with the name of a lane.
  enum LaneManners {
    case echoes, ignores
    /// An error that names the member `stream_id`.
    case refuses
  }

  /// What else happens to the daemon, each so many times.
  struct Changes {
    var networkChanges = 0
    var suspends = 0
    var reloads = 0
    var drains = 0
  }

  struct ClientTraits {
    /// Mean time between two doings of one client.
    var pause: Int64 = .milliseconds(300)
    var requestsAtOnceMax = 2
    var cancels = 50
    var hangsUp = 20
    var halfCloses = 20
    var controls = 20
    var stalls = 20
    var reusesIDs = 20
    var chains = 150
    var conversations = 200
    var promptCacheKeys = 0
    var floods = 0
    var repeatsAtOnce = 0
    /// Cancels a request as soon as it is sent.
    var regrets = 0
    /// Somebody else cancels a request.
    var othersCancel = 0
    /// A request may go to another upstream.
    var alternatives = 0
    /// A response is not to be stored.
    var unstored = 0
  }

  /// A way in which a dial fails.
  enum DialFault: CaseIterable {
    case unauthorized, notFound, tooManyRequests, unavailable, unreachable, timesOut, tls
    case notHTTP, closesPolicy, closesBeta, closesNormally, isLostAtOnce, betaError
  }
}

extension Scenario {
  /// - Parameter second: what it draws is drawn after all that `random` does.
  init(from random: inout Chance, _ second: inout Chance) {
    let profile = random.below(8)
    drawLimits(&random, isTiny: random.oneIn(3))
    let count = random.oneIn(4) ? 2 : 1
    for index in 0..<count {
      upstreams.append(Self.drawUpstream(index, &random, isLong: profile == 2))
      servers.append(drawServer(&random, profile: profile))
    }
    clientsCount = 1 + random.below(profile == 1 ? 8 : 4)
    drawClients(&random, profile: profile)
    timerLateMax = random.oneIn(3) ? .milliseconds(3) : 0
    earlyTimers = random.oneIn(4) ? random.below(20) : 0
    passesStaleMessages = random.oneIn(2)
    if random.oneIn(4) {
      terminatesAt = Int64(random.below(Int(activeNanoseconds / 1_000_000))) * .milliseconds(1)
      terminatesTwice = random.oneIn(4)
    }
    for index in servers.indices where profile == 4 || random.oneIn(4) {
      servers[index].outages = drawOutages(&random)
    }
    isRemoved = upstreams.map { _ in false }
    if !second.oneIn(6) { drawMore(&second) }
  }

  private mutating func drawLimits(_ random: inout Chance, isTiny: Bool) {
    limits.queuedNoticeAfter = .milliseconds(100)
    limits.requestTimeout = .seconds(random.pick([20, 60, 300]))
    limits.waitTimeout = .seconds(random.pick([2, 10, 120]))
    limits.shutdownTimeout = .seconds(random.pick([1, 10, 30]))
    guard isTiny else { return }
    limits.clientsMax = 1 + random.below(3)
    limits.requestsPerClientMax = 1 + random.below(3)
    limits.queueRequestsMax = random.below(4)
    limits.bufferBytesMax = 50 + random.below(500)
    limits.affinityEntriesMax = random.below(4)
    limits.interactiveWeight = 1 + random.below(3)
  }

  private static func drawUpstream(
    _ index: Int, _ random: inout Chance, isLong: Bool
  ) -> UpstreamSettings {
    var limits = UpstreamLimits()
    limits.connectionsWarm = random.pick([0, 1, 1, 2, 3])
    limits.connectionsMax = max(1, limits.connectionsWarm) + random.pick([0, 0, 1, 2, 5])
    limits.dialsMax = random.pick([1, 2, 4])
    limits.abandonedTimeout = .seconds(random.pick([1, 60]))
    limits.patience = .milliseconds(random.pick([0, 50, 500]))
    if !isLong, random.oneIn(2) {
      limits.pingInterval = .seconds(random.pick([2, 10, 25]))
      limits.pongTimeout = .milliseconds(random.pick([200, 2000]))
      limits.idleLimit = .seconds(random.pick([5, 30, 200]))
      limits.ageLimit = .seconds(random.pick([10, 60, 600]))
      limits.shrinkAfter = .seconds(random.pick([1, 10]))
      limits.circuitAfter = .seconds(random.pick([3, 30]))
    }
    return UpstreamSettings(
      name: "u\(index)", limits: limits, continuation: random.pick([.connection, .anywhere]))
  }

  private func drawServer(_ random: inout Chance, profile: Int) -> ServerTraits {
    var server = ServerTraits()
    server.identifies = !random.oneIn(4)
    server.greets = random.oneIn(3)
    guard profile != 0 else { return server }
    func rate(_ most: Int, _ random: inout Chance) -> Int {
      random.oneIn(2) ? 0 : random.below(most)
    }
    server.faults.dialFails = rate(300, &random)
    server.faults.connectionIsLost = rate(200, &random)
    server.faults.fallsSilent = rate(100, &random)
    server.faults.forgetsRequest = rate(50, &random)
    server.faults.refusesForConnection = rate(150, &random)
    server.faults.answersWithError = rate(150, &random)
    server.faults.errorInResponse = rate(100, &random)
    server.faults.unusableMessage = rate(100, &random)
    server.faults.idleNoise = rate(300, &random)
    server.faults.lossBeforeHandOver = rate(150, &random)
    if profile >= 5 { server.faults.lateEvents = rate(400, &random) }
    if profile >= 6 { server.faults.strayResponses = rate(300, &random) }
    return server
  }

  private mutating func drawClients(_ random: inout Chance, profile: Int) {
    client.pause = .milliseconds(random.pick([100, 500, 3000]))
    activeNanoseconds = max(.seconds(8), client.pause * Int64(10 + random.below(20)))
    client.requestsAtOnceMax = random.pick([1, 1, 3])
    client.cancels = random.below(150)
    client.hangsUp = random.below(60)
    client.halfCloses = random.below(60)
    client.controls = random.below(60)
    client.stalls = random.oneIn(2) ? 0 : random.below(150)
    client.chains = random.below(400)
    client.conversations = random.below(500)
    if profile == 1 {
      client.requestsAtOnceMax = 6
      client.pause = .milliseconds(40)
      activeNanoseconds = .seconds(2)
    }
    if profile == 2 {
      activeNanoseconds = .seconds(3600 * Int64(1 + random.below(4)))
      client.pause = .seconds(Int64(random.pick([200, 600, 1800])))
    }
  }

  func drawOutages(_ random: inout Chance) -> [Outage] {
    var outages: [Outage] = []
    var from: Int64 = random.oneIn(3) ? 0 : .milliseconds(Int64(random.below(20_000)))
    while from < activeNanoseconds, outages.count < 4 {
      let length: Int64 = .milliseconds(Int64(random.pick([300, 4000, 40_000, 900_000])))
      outages.append(
        Outage(
          from: from, until: from + length, fault: random.pick(DialFault.allCases),
          cutsConnections: random.oneIn(2)))
      from += length + .milliseconds(Int64(random.below(30_000)))
    }
    return outages
  }
}

extension Int64 {
  static func seconds(_ count: Int64) -> Int64 { count * 1_000_000_000 }
  static func milliseconds(_ count: Int64) -> Int64 { count * 1_000_000 }
  static func microseconds(_ count: Int64) -> Int64 { count * 1000 }
}
