import HotlineCore

/// Connections that are warmed up, and servers that like it or not.
extension Scenario {
  /// What a server does with a request for no output.
  enum WarmUpManners {
    case answers
    /// An error that names the member `generate`.
    case refuses
    case neverEnds
    /// It ends the connection.
    case drops
    /// It answers, and then ends the connection unless a request has come.
    case leaves
  }

  /// Drawn last of all.
  mutating func drawWarmUps(_ random: inout Chance) {
    guard random.oneIn(3) else { return }
    let isFickle = random.oneIn(4)
    for index in upstreams.indices {
      upstreams[index].warmsUp = !random.oneIn(4)
      servers[index].warmUps = random.pick([
        .answers, .answers, .answers, .refuses, .neverEnds, .drops, .leaves,
      ])
      guard isFickle else { continue }
      // Some are lost, others are not.
      servers[index].warmUps = .answers
      servers[index].faults.connectionIsLost = 300
    }
  }

  mutating func reloadWarmUps(_ random: inout Chance) {
    guard upstreams.contains(where: \.warmsUp) else { return }
    for index in upstreams.indices where random.oneIn(4) { upstreams[index].warmsUp.toggle() }
  }
}
