import COpenSSL
import HotlineTLS
import TestSupport
import Testing

@Suite struct ResumptionTests {
  @Test(arguments: HandshakeTests.versions)
  func laterConnectionsResume(version: Int32) throws {
    let context = try TLSTestWorld.clientContext()
    let serverContext = TLSTestServerContext(TLSTestWorld.identity, mostVersion: version)
    for attempt in 1...5 {
      var pair = try TLSTestPair(context, serverContext)
      pair.run()
      #expect(pair.client.handshake?.isResumed == (attempt > 1), "attempt \(attempt)")
      #expect(pair.server.isResumed == (attempt > 1))
      // Every other connection is lost without a close_notify.
      if attempt.isMultiple(of: 2) { pair.client.close() } else { _ = pair.client.transportEnded() }
    }
  }

  @Test func ticketsOfTLS13AreUsedOnce() throws {
    let context = try TLSTestWorld.clientContext()
    let serverContext = TLSTestServerContext(TLSTestWorld.identity)
    var first = try TLSTestPair(context, serverContext)
    first.run()
    #expect(context.sessionCount == 2)
    let clients = try (1...3).map { _ in
      try TLSEngine(context: context, serverName: "api.example.com", port: 443)
    }
    for (index, client) in clients.enumerated() {
      client.start()
      #expect(context.sessionCount == max(0, 1 - index))
    }
  }

  @Test func anotherNameOrPortGetsNoTicket() throws {
    let context = try TLSTestWorld.clientContext()
    let serverContext = TLSTestServerContext(TLSTestWorld.identity)
    var first = try TLSTestPair(context, serverContext)
    first.run()
    var otherPort = try TLSTestPair(context, serverContext, port: 444)
    otherPort.run()
    #expect(otherPort.client.handshake?.isResumed == false)
    var otherName = try TLSTestPair(context, serverContext, name: "a.wild.example")
    otherName.run()
    #expect(otherName.client.handshake?.isResumed == false)
    var same = try TLSTestPair(context, serverContext)
    same.run()
    #expect(same.client.handshake?.isResumed == true)
  }

  @Test(arguments: [0, 1, 3])
  func noMoreTicketsAreKeptThanAllowed(sessionsMax: Int) throws {
    let context = try TLSTestWorld.clientContext(sessionsMax: sessionsMax)
    let serverContext = TLSTestServerContext(TLSTestWorld.identity)
    for port in UInt16(1)...3 {
      var pair = try TLSTestPair(context, serverContext, port: port)
      pair.run()
    }
    #expect(context.sessionCount == sessionsMax)
    // The newest are those that stay.
    var last = try TLSTestPair(context, serverContext, port: 3)
    last.run()
    #expect(last.client.handshake?.isResumed == (sessionsMax > 0))
  }

  @Test func aServerThatForgotItsTicketsMakesAFullHandshake() throws {
    let context = try TLSTestWorld.clientContext()
    for _ in 1...2 {
      var pair = try TLSTestPair(context, TLSTestServerContext(TLSTestWorld.identity))
      pair.run()
      #expect(pair.client.state == .open)
      #expect(pair.client.handshake?.isResumed == false)
    }
  }
}
