import HotlineCore

/// Lanes, changes of the configuration and of the world around.
extension Scenario {
  mutating func drawMore(_ random: inout Chance) {
    for index in upstreams.indices {
      upstreams[index].limits.lanes = random.pick([1, 1, 2, 3, 4, 16])
      upstreams[index].limits.cancel = random.pick([.drop, .drop, .drain])
      upstreams[index].limits.probeTimeout = .milliseconds(random.pick([200, 1000, 3000]))
      drawManners(of: index, &random)
    }
    client.promptCacheKeys = random.pick([0, 0, random.below(500), 900])
    client.floods = random.oneIn(5) ? random.below(60) : 0
    client.repeatsAtOnce = random.oneIn(3) ? random.below(300) : 0
    if random.oneIn(4) { limits.interactiveWeight = 1 + random.below(4) }
    if random.oneIn(3) { changes.networkChanges = 1 + random.below(4) }
    if random.oneIn(4) { changes.suspends = 1 + random.below(2) }
    if random.oneIn(3) { changes.reloads = 1 + random.below(8) }
    if random.oneIn(5) { changes.drains = 1 + random.below(2) }
    if random.oneIn(5) { limits.memoryBytesMax = 1000 + random.below(20_000) }
    if random.oneIn(4) { client.stalls = 50 + random.below(300) }
    switch random.below(14) {
    case 0: drawChains(&random)
    case 1, 2: drawCrowd()
    case 3: drawStorm(&random)
    case 4: drawRareRequests(&random)
    case 5, 6, 7: drawHabits(&random)
    case 8, 9: drawOldAge(&random)
    default: break
    }
  }

  /// Drawn after all the rest.
  mutating func drawStillMore(_ random: inout Chance) {
    guard random.oneIn(4), !isOldAge else { return }
    client.othersCancel = random.below(100)
    reloadsAll = random.oneIn(2)
  }

  /// Drawn last of all.
  mutating func drawSteering(_ random: inout Chance) {
    for index in upstreams.indices {
      upstreams[index].limits.steerTimeout = .milliseconds(random.pick([300, 3000, 30_000]))
      if random.oneIn(4) { upstreams[index].limits.cancel = .ask }
    }
    if random.oneIn(5), !isOldAge { client.controls = 100 + random.below(300) }
  }

  private mutating func drawManners(of index: Int, _ random: inout Chance) {
    servers[index].lanes = random.pick([.echoes, .echoes, .echoes, .ignores, .refuses])
    servers[index].goesOnAfterRefusal = random.oneIn(2)
    if random.oneIn(4) { servers[index].faults.namesWrongLane = random.below(80) }
    if random.oneIn(2) { servers[index].faults.duplicates = random.below(300) }
    if random.oneIn(3) { servers[index].faults.refusesConnection = random.below(100) }
  }

  /// What a reload makes of the configuration.
  mutating func reload(
    _ random: inout Chance, _ third: inout Chance, _ sixth: inout Chance
  ) -> [UpstreamReload] {
    reloadWarmUps(&sixth)
    if random.oneIn(2) { reloadLimits(&random) }
    if reloadsAll, third.oneIn(2) { reloadMoreLimits(&third) }
    for index in upstreams.indices {
      if random.oneIn(2) { reloadLimits(of: index, &random) }
      if random.oneIn(6) { isRemoved[index].toggle() }
    }
    if random.oneIn(6), upstreams.count < 3 { addUpstream(&random) }
    return upstreams.indices.map { index in
      UpstreamReload(
        upstreams[index], isRemoved: isRemoved[index], needsNewConnections: random.oneIn(2))
    }
  }

  private mutating func reloadLimits(_ random: inout Chance) {
    limits.requestTimeout = .seconds(random.pick([20, 60, 300]))
    limits.waitTimeout = .seconds(random.pick([2, 10, 120]))
    limits.clientsMax = random.pick([1, 3, 1024])
    limits.requestsPerClientMax = random.pick([1, 3, 64])
    limits.queueRequestsMax = random.pick([0, 3, 1024])
    limits.bufferBytesMax = random.pick([100, 16 << 20])
    limits.affinityEntriesMax = random.pick([2, 4096])
    limits.interactiveWeight = random.pick([1, 3, 8])
    limits.shutdownTimeout = .seconds(random.pick([1, 30]))
  }

  private mutating func reloadMoreLimits(_ random: inout Chance) {
    limits.queuedNoticeAfter = .milliseconds(random.pick([1, 100, 2000]))
    limits.memoryBytesMax = random.pick([1000, 20_000, 512 << 20])
    for index in upstreams.indices {
      upstreams[index].limits.ageMargin = .seconds(random.pick([1, 60, 300]))
    }
  }

  private mutating func reloadLimits(of index: Int, _ random: inout Chance) {
    var limits = upstreams[index].limits
    limits.connectionsWarm = random.pick([0, 1, 2])
    limits.connectionsMax = max(1, limits.connectionsWarm) + random.pick([0, 1, 5])
    limits.dialsMax = random.pick([1, 4])
    limits.patience = .milliseconds(random.pick([0, 50, 500]))
    limits.cancel = random.pick([.drop, .drain])
    limits.pingInterval = .seconds(random.pick([2, 25]))
    limits.idleLimit = .seconds(random.pick([5, 200, 800]))
    limits.ageLimit = .seconds(random.pick([10, 600, 3300]))
    limits.shrinkAfter = .seconds(random.pick([1, 300]))
    limits.pongTimeout = .milliseconds(random.pick([200, 2000, 10_000]))
    limits.probeTimeout = .milliseconds(random.pick([200, 3000]))
    limits.circuitAfter = .seconds(random.pick([3, 30]))
    limits.abandonedTimeout = .seconds(random.pick([1, 60]))
    if random.oneIn(3) { limits.lanes = random.pick([1, 2, 16]) }
    upstreams[index].limits = limits
  }

  mutating func addUpstream(_ random: inout Chance) {
    var settings = UpstreamSettings(
      name: "u\(upstreams.count)", continuation: random.pick([.connection, .anywhere]))
    settings.limits.lanes = random.pick([1, 4])
    upstreams.append(settings)
    servers.append(ServerTraits())
    isRemoved.append(false)
    drawManners(of: upstreams.count - 1, &random)
  }
}
