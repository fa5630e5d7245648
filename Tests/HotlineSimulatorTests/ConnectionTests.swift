import Glibc
import HotlineSimulator
import TestSupport
import Testing

@Suite struct UpgradeTests {
  @Test func anUpgradeNeedsAKeyThatFits() async throws {
    try await withSimulator(["key": "sk-right"]) { simulator in
      #expect(try PlainWebSocket(port: simulator.port, key: "sk-right").status == 101)
      let wrong = try PlainWebSocket(port: simulator.port, key: "sk-wrong")
      #expect(wrong.status == 401)
      #expect(!wrong.head.contains("sk-wrong"))
      #expect(try PlainWebSocket(port: simulator.port, key: nil).status == 401)
      try await simulator.update { $0.echoesKey = true }
      #expect(try PlainWebSocket(port: simulator.port, key: "sk-wrong").head.contains("sk-wrong"))
      #expect(try await simulator.statistics().refusedUpgrades == 3)
    }
  }

  @Test func theKeyIsTakenFromTheHeaderThatWasChosen() async throws {
    try await withSimulator(["key": "k", "key-header": "api-key"]) { simulator in
      func status(_ key: String?, _ headers: String...) throws -> Int {
        try PlainWebSocket(port: simulator.port, key: key, headers: headers).status
      }
      #expect(try status("k") == 401)
      #expect(try status(nil, "API-Key: k") == 101)
      try await simulator.update { $0.keyHeader = "authorization" }
      #expect(try status(nil, "API-Key: k") == 401)
      #expect(try status("k") == 101)
      try await simulator.update { $0.isKeyless = true }
      #expect(try status("k") == 400)
      #expect(try status(nil) == 101)
    }
  }

  @Test func theSubprotocolHasToBeOffered() async throws {
    try await withSimulator(["subprotocol": "openai-beta.responses.v1"]) { simulator in
      let field = "Sec-WebSocket-Protocol: "
      #expect(try PlainWebSocket(port: simulator.port).status == 400)
      let other = try PlainWebSocket(port: simulator.port, headers: [field + "chat"])
      #expect(other.status == 400)
      let good = try PlainWebSocket(
        port: simulator.port, headers: [field + "chat, openai-beta.responses.v1"])
      #expect(good.status == 101)
      #expect(good.head.contains(field + "openai-beta.responses.v1\r\n"))
    }
  }

  @Test func otherPathsAndPlainRequestsAreRefused() async throws {
    try await withSimulator { simulator in
      for (path, status) in [("/v1/responses", 101), ("/v1/realtime?a=b", 101), ("/v2", 404)] {
        let socket = try PlainWebSocket(port: simulator.port, path: path)
        #expect(socket.status == status)
      }
      let plain = try PlainWebSocket(port: simulator.port, upgrades: false)
      #expect(plain.status == 426)
    }
  }

  @Test(arguments: [401, 403, 404, 426, 429, 503])
  func theOrderedStatusRefusesUpgrades(status: Int) async throws {
    try await withSimulator(["upgrade-status": "\(status)", "retry-after": "7"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      #expect(socket.status == status)
      #expect(socket.head.contains("retry-after: 7\r\n"))
      #expect(socket.next() == .end)
    }
  }

  @Test func onlyTheFirstUpgradesAreRefused() async throws {
    try await withSimulator(["refuse-first": "2"]) { simulator in
      var statuses: [Int] = []
      for _ in 0..<4 { statuses.append(try PlainWebSocket(port: simulator.port).status) }
      #expect(statuses == [503, 503, 101, 101])
    }
  }
}

@Suite struct LifetimeTests {
  @Test func greetingErrorAndCloseFollowTheUpgrade() async throws {
    let settings = [
      "greeting": "true", "error-after-open": "beta_api_shape_disabled",
      "close-after-open": "4000",
    ]
    try await withSimulator(settings) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      #expect(type(of: socket.text()) == "session.created")
      #expect(code(of: socket.text()) == "beta_api_shape_disabled")
      #expect(
        socket.next() == .close(code: 4000, reason: "closed right after the upgrade"))
    }
  }

  @Test func idleConnectionsAreClosedAndPingsDoNotCount() async throws {
    try await withSimulator(["idle-close": "1"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.setTimeout(milliseconds: 50)
      // Pings that counted would keep it open for ever.
      var pongs = 0
      var input = PlainWebSocket.Input.nothing
      while pongs < 900, input == .nothing || input == .pong([]) {
        if input == .pong([]) { pongs += 1 }
        if input == .nothing { socket.sendFrame(0x89, []) }
        input = socket.next()
      }
      #expect(input == .close(code: 1000, reason: "idle"))
      #expect(pongs > 0)
    }
  }

  @Test func aStreamingConnectionIsNotIdle() async throws {
    try await withSimulator(["idle-close": "1"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi [[fault: delay 1500]]")
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
      #expect(socket.next() == .close(code: 1000, reason: "idle"))
    }
  }

  @Test func anOldConnectionFinishesItsResponseFirst() async throws {
    try await withSimulator(["age-close": "1"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.request("Hi [[fault: delay 1500]]")
      #expect(socket.answer().messages.map(type(of:)).last == "response.completed")
      #expect(code(of: socket.text()) == "websocket_connection_limit_reached")
      #expect(socket.next() == .close(code: 1001, reason: "connection limit reached"))
    }
  }

  @Test func pingsAreAnsweredUnlessToldOtherwise() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.sendFrame(0x89, [1, 2])
      #expect(socket.next() == .pong([1, 2]))
      try await simulator.update { $0.answersPings = false }
      socket.setTimeout(milliseconds: 200)
      socket.sendFrame(0x89, [3])
      #expect(socket.next() == .nothing)
      #expect(try await simulator.statistics().pings == 2)
    }
  }

  @Test func aClientThatAnswersNoPingIsClosedWith1011() async throws {
    try await withSimulator(["ping-every": "1"]) { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      #expect(socket.next() == .ping(Array("simulator".utf8)))
      socket.sendFrame(0x8A, Array("simulator".utf8))
      #expect(socket.next() == .ping(Array("simulator".utf8)))
      #expect(socket.next() == .close(code: 1011, reason: "no pong"))
    }
  }

  @Test func aCloseIsAnsweredWithItsCode() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      socket.sendFrame(0x88, [0x03, 0xE8])
      #expect(socket.next() == .close(code: 1000, reason: ""))
      #expect(socket.next() == .end)
      let statistics = try await simulator.statistics()
      #expect(statistics.closesReceived == 1)
      #expect(statistics.ended == 0)
      #expect(statistics.open == 0)
    }
  }
}

@Suite struct CommandTests {
  @Test func settingsAndConnectionsObeyCommands() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      #expect(await simulator.perform("set upgrade-status 503") == #"{"ok":true}"#)
      #expect(try PlainWebSocket(port: simulator.port).status == 503)
      #expect(await simulator.perform("set upgrade-status none") == #"{"ok":true}"#)
      #expect(await simulator.perform(#"send {"type":"x y"}"#) == #"{"ok":true}"#)
      #expect(socket.next() == .text(#"{"type":"x y"}"#))
      #expect(await simulator.perform("close all 1012 bye") == #"{"ok":true}"#)
      #expect(socket.next() == .close(code: 1012, reason: "bye"))
      let stats = object(await simulator.perform("stats"))
      #expect(stats["upgrades"] as? Int == 1)
      #expect(stats["refusedUpgrades"] as? Int == 1)
    }
  }

  @Test func droppingEndsDeadConnectionsToo() async throws {
    try await withSimulator { simulator in
      let socket = try PlainWebSocket(port: simulator.port)
      _ = await simulator.perform("dead all")
      socket.setTimeout(milliseconds: 200)
      #expect(socket.next() == .nothing)
      _ = await simulator.perform("drop all")
      socket.setTimeout(milliseconds: Deadline.usualSeconds * 1000)
      #expect(socket.next() == .end)
    }
  }

  @Test func listeningCanPauseAndComesBackOnTheSamePort() async throws {
    try await withSimulator { simulator in
      let port = simulator.port
      #expect(await simulator.perform("listen off") == #"{"ok":true}"#)
      #expect(throws: (any Error).self) { try PlainWebSocket(port: port) }
      #expect(await simulator.perform("listen on") == #"{"ok":true}"#)
      #expect(simulator.port == port)
      let socket = try PlainWebSocket(port: port)
      #expect(socket.status == 101)
    }
  }

  /// Another test may just be starting a process, which has all sockets until it is a program.
  @Test func aPauseDoesNotWaitForOthersThatHaveTheListener() async throws {
    try await withSimulator { simulator in
      let port = simulator.port
      let other = try #require(listener(on: port))
      defer { close(other) }
      _ = await simulator.perform("listen off")
      #expect(throws: (any Error).self) { try PlainWebSocket(port: port) }
      _ = await simulator.perform("listen on")
      #expect(try PlainWebSocket(port: port).status == 101)
    }
  }

  /// One more descriptor of whatever listens on the port in this process.
  private func listener(on port: Int) -> Int32? {
    let found = (3..<Int32(4096)).first { descriptor in
      var address = sockaddr_in()
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let result = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
      }
      var listens: Int32 = 0
      var length = socklen_t(MemoryLayout<Int32>.size)
      guard result == 0, Int(in_port_t(bigEndian: address.sin_port)) == port else { return false }
      return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0
        && listens == 1
    }
    return found.map { fcntl($0, F_DUPFD_CLOEXEC, 3) }
  }

  @Test(arguments: ["", "jump", "set", "set a b", "drop some", "close all 1"])
  func badCommandsAreExplained(command: String) async throws {
    try await withSimulator { simulator in
      #expect(object(await simulator.perform(command))["error"] is String)
    }
  }

  @Test func manyConnectionsAreServedSideBySide() async throws {
    try await withSimulator { simulator in
      let sockets = try (0..<64).map { _ in try PlainWebSocket(port: simulator.port) }
      for round in 0..<5 {
        for (number, socket) in sockets.enumerated() {
          socket.request("mark=c\(number)r\(round) [[fault: deltas 40]]")
        }
        for (number, socket) in sockets.enumerated() {
          let messages = socket.answer().messages
          let deltas = messages.compactMap { object($0)["delta"] as? String }
          #expect(deltas.count == 40)
          #expect(deltas.allSatisfy { $0.contains("c\(number)r\(round)") })
        }
      }
      let statistics = try await simulator.statistics()
      #expect(statistics.completed == 320)
      #expect(statistics.open == 64)
      #expect(statistics.violations == 0)
    }
  }
}
