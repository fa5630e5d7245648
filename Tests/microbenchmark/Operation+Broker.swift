import HotlineCore

extension Operation {
  /// What the core decides: an event, a request's whole life, a client's whole life.
  static var broker: [Operation] {
    [
      Operation(name: "broker-event", count: 10_000) { events(connections: 1, clients: 1) },
      Operation(name: "broker-event-of-64-connections", count: 10_000) {
        events(connections: 64, clients: 1_000)
      },
      Operation(name: "broker-request", count: 500) { requests(connections: 1, clients: 1) },
      Operation(name: "broker-request-of-64-connections", count: 200) {
        requests(connections: 64, clients: 1_000)
      },
      Operation(name: "broker-client", count: 500) {
        var world = World(connections: 8, clients: 100)
        return {
          let client = world.connect()
          world.ask(from: client)
          world.begin()
          world.end()
          world.close(client)
        }
      },
      Operation(name: "broker-request-behind-10", count: 200) { queue(behind: 10) },
      Operation(name: "broker-request-behind-10000", count: 200) { queue(behind: 10_000) },
    ]
  }

  private static func events(connections: Int, clients: Int) -> () -> Void {
    var world = World(connections: connections, clients: clients)
    world.ask(from: clients - 1)
    world.begin()
    return { keep(world.progress(isText: true)) }
  }

  private static func requests(connections: Int, clients: Int) -> () -> Void {
    var world = World(connections: connections, clients: clients)
    var turn = 0
    return {
      turn = (turn + 1) % clients
      world.ask(from: turn)
      world.begin()
      world.end()
    }
  }

  /// One arrives and one is served while so many wait.
  private static func queue(behind count: Int) -> () -> Void {
    var world = World(connections: 1, clients: 10)
    for turn in 0...count { world.ask(from: turn % 10) }
    var turn = 0
    return {
      turn = (turn + 1) % 10
      world.ask(from: turn)
      world.begin()
      world.end()
    }
  }
}
