import HotlineCore

/// Shares the descriptors that may be open at once between clients and connections.
///
/// Running out of them would leave newcomers waiting without a word; so fewer clients are let in,
/// and who comes beyond that is told so.
struct DescriptorBudget {
  /// For files, timers, sockets in front, look-ups, and clients that were refused and have not
  /// left.
  static let reserve = 48

  /// Descriptors that this process may have open.
  let openMax: Int

  /// What the connections may use: those that only finish what they have are beside the others, and
  /// a dial tries two addresses at once.
  static func connections(of configuration: Configuration) -> Int {
    configuration.upstreams.reduce(0) { $0 + 2 * ($1.limits.connectionsMax + $1.limits.dialsMax) }
  }

  /// Lowers `clients_max` to what there are descriptors for.
  ///
  /// - Returns: what to tell of it; nil where there are enough.
  func apply(to configuration: inout Configuration) -> String? {
    let wanted = configuration.limits.clientsMax
    let connections = Self.connections(of: configuration)
    let free = openMax - Self.reserve - connections
    guard free < wanted else { return nil }
    configuration.limits.clientsMax = max(1, free)
    return "socket.clients_max: \(wanted) clients and up to \(connections) connections need "
      + "\(wanted + connections + Self.reserve) file descriptors, and this process may have "
      + "\(openMax); only \(max(1, free)) clients are served. Raise the limit (LimitNOFILE= of the "
      + "unit, ulimit -Hn), or lower socket.clients_max or connections_max"
  }
}
