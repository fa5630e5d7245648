import HotlineCore

/// Worlds in which one thing happens much more often than by chance.
extension Scenario {
  /// Scripts that hang up in a loop.
  mutating func drawStorm(_ random: inout Chance) {
    client.regrets = 600 + random.below(400)
    client.pause = .milliseconds(100)
    activeNanoseconds = .seconds(15)
    for index in upstreams.indices {
      upstreams[index].limits.lanes = 1
      upstreams[index].limits.cancel = .drop
      upstreams[index].limits.connectionsMax = max(4, upstreams[index].limits.connectionsMax)
      servers[index].outages = []
      servers[index].faults.dialFails = 0
    }
  }

  /// Nobody asks for anything for minutes, and then in vain.
  mutating func drawRareRequests(_ random: inout Chance) {
    activeNanoseconds = .seconds(3600)
    client.pause = .seconds(Int64(random.pick([40, 200])))
    clientsCount = 1
    for index in upstreams.indices {
      upstreams[index].limits.connectionsWarm = 0
      let fault = random.pick([DialFault.unreachable, .unavailable, .timesOut, .notHTTP])
      servers[index].outages = [
        Outage(from: 0, until: .seconds(3000), fault: fault, cutsConnections: true)
      ]
    }
  }

  /// Connections that are always busy grow old where nothing else goes wrong.
  mutating func drawOldAge(_ random: inout Chance) {
    isOldAge = true
    clientsCount = 2 + random.below(3)
    client = ClientTraits()
    client.pause = .milliseconds(150)
    activeNanoseconds = .seconds(40)
    timerLateMax = .milliseconds(3)
    changes = Changes()
    for index in upstreams.indices {
      upstreams[index].limits.connectionsWarm = 1
      upstreams[index].limits.connectionsMax = 1 + random.below(2)
      upstreams[index].limits.lanes = 1
      upstreams[index].limits.cancel = .drain
      upstreams[index].limits.idleLimit = .seconds(60)
      upstreams[index].limits.ageLimit = .seconds(random.pick([10, 15]))
      // So that a pong comes when a replacement is due.
      upstreams[index].limits.pingInterval = .milliseconds(1700)
      servers[index].outages = []
      servers[index].faults = Faults()
    }
  }

  /// Clients with conversations, cache keys and habits compete for few busy connections.
  mutating func drawHabits(_ random: inout Chance) {
    clientsCount = 3 + random.below(4)
    client.pause = .milliseconds(60)
    activeNanoseconds = .seconds(6)
    client.requestsAtOnceMax = 3
    client.conversations = random.pick([0, 300])
    client.promptCacheKeys = random.pick([0, 300, 600])
    client.chains = random.pick([0, 300, 600])
    client.floods = random.pick([0, 20])
    for index in upstreams.indices {
      upstreams[index].limits.patience = .milliseconds(500)
      upstreams[index].limits.connectionsMax = max(
        1 + random.below(2), upstreams[index].limits.connectionsWarm)
      upstreams[index].limits.lanes = random.pick([1, 1, 2, 4, 16])
      servers[index].lanes = .echoes
    }
  }

  /// Many requests at once, half of which prefer one of a few connections with many lanes.
  mutating func drawCrowd() {
    client.promptCacheKeys = 500
    client.floods = 40
    for index in upstreams.indices {
      upstreams[index].limits.lanes = 16
      upstreams[index].limits.patience = .milliseconds(500)
      upstreams[index].limits.connectionsMax = max(1, upstreams[index].limits.connectionsWarm)
      servers[index].lanes = .echoes
    }
  }

  /// Servers that answer what clients say of their responses with an error that names nothing.
  mutating func drawIgnorance(_ random: inout Chance) {
    for index in servers.indices where random.oneIn(6) {
      servers[index].knowsControls = false
      client.controls = max(client.controls, 60)
    }
  }

  /// Half of what is continued exists only where it was made, though the servers store the rest.
  mutating func drawUnstored(_ random: inout Chance) {
    guard random.oneIn(4) else { return }
    client.unstored = 500
    for index in upstreams.indices {
      upstreams[index].continuation = .anywhere
      // Of little use, where nobody could tell whose a late event is.
      upstreams[index].forcesStoreFalse = random.oneIn(8)
    }
    guard random.oneIn(2) else { return }
    client.chains = 600
    for index in upstreams.indices where random.oneIn(2) {
      upstreams[index].limits.lanes = random.pick([2, 4, 8])
      servers[index].lanes = .echoes
    }
  }

  /// Everybody continues what came before, on few connections, which their servers refuse.
  mutating func drawChains(_ random: inout Chance) {
    client.chains = 800
    client.halfCloses = random.below(150)
    for index in upstreams.indices {
      upstreams[index].continuation = .connection
      upstreams[index].limits.connectionsMax = max(1, upstreams[index].limits.connectionsWarm)
      servers[index].identifies = true
      servers[index].faults.refusesForConnection = random.below(150)
    }
  }
}
