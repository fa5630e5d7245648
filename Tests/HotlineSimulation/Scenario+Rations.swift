import HotlineCore

/// Servers that ration, and others that stand in for one that is down.
extension Scenario {
  /// Drawn last of all.
  mutating func drawRationsAndFailover(_ random: inout Chance) {
    if random.oneIn(4) { drawRations(&random) }
    if random.oneIn(4), !isOldAge { drawFailover(&random) }
    if random.oneIn(12), !isOldAge { drawRefusals(&random) }
  }

  /// Several dials at a time fail, each in its own way.
  private mutating func drawRefusals(_ random: inout Chance) {
    activeNanoseconds = .seconds(900)
    client.pause = .seconds(20)
    for index in upstreams.indices {
      upstreams[index].limits.connectionsWarm = 3
      upstreams[index].limits.connectionsMax = max(4, upstreams[index].limits.connectionsMax)
      upstreams[index].limits.dialsMax = 4
      servers[index].faults.dialFails = 600 + random.below(400)
    }
  }

  private mutating func drawRations(_ random: inout Chance) {
    for index in upstreams.indices {
      servers[index].faults.saysLimits = random.below(500)
      upstreams[index].limits.rateLimits = random.pick([.wait, .wait, .wait, .send])
    }
    guard random.oneIn(3), !isOldAge else { return }
    // Something comes at every instant, that of a reset too, while there is room for what waits.
    isChatty = true
    timerLateMax = .milliseconds(3)
    clientsCount = 4
    client.pause = .seconds(1)
    client.requestsAtOnceMax = 2
    activeNanoseconds = .seconds(40)
    for index in upstreams.indices {
      upstreams[index].limits.patience = .zero
      upstreams[index].limits.connectionsWarm = 4
      upstreams[index].limits.connectionsMax = 8
    }
  }

  private mutating func drawFailover(_ random: inout Chance) {
    let count = 2 + random.below(2)
    while upstreams.count < count { addUpstream(&random) }
    client.alternatives = random.pick([500, 800, 1000])
    if random.oneIn(2) {
      client.conversations = 700
      client.requestsAtOnceMax = 3
      client.chains = 0
    }
    for index in upstreams.indices where random.oneIn(2) || index == 0 {
      upstreams[index].limits.connectionsWarm = max(1, upstreams[index].limits.connectionsWarm)
      upstreams[index].limits.connectionsMax = max(
        upstreams[index].limits.connectionsMax, upstreams[index].limits.connectionsWarm)
      servers[index].outages = drawOutages(&random)
    }
  }

  /// Where else a request may go, the best first.
  func drawAlternatives(to upstream: UpstreamIndex, _ random: inout Chance) -> [UpstreamIndex] {
    guard client.alternatives > 0, random.chance(client.alternatives) else { return [] }
    let others = upstreams.indices.map { UpstreamIndex($0) }.filter { $0 != upstream }
    guard others.count > 1, random.oneIn(2) else { return others }
    return others.reversed()
  }
}
