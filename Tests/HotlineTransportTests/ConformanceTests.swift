import HotlineCore
import NIOCore
import TestSupport
import Testing

@testable import HotlineTransport

/// The client against a server that writes its frames byte by byte, over real sockets.
@Suite(.serialized) struct ConformanceTests {
  // Not asynchronous: the threads of those tests may all be blocked for as long as a client waits.
  @Test(arguments: ConformanceCase.all)
  func clientDoesWhatTheStandardSays(of each: ConformanceCase) throws {
    let script = each.script()
    let server = RawWebSocketServer()
    let running = try ConformanceClient.start(
      port: server.port, eventBytesMax: each.eventBytesMax)
    let observed = try ConformanceServer(server, each, script).run()
    let client = try running.wait()
    #expect(client.delivered == script.delivered)
    #expect(observed.pongs == script.pongs)
    switch script.end {
    case .open:
      #expect(observed.echoes == script.delivered.filter(\.isText))
      #expect(observed.closeCode == 1000)
      #expect(client.failure.kind == .closed)
    case .closed(let code):
      #expect(observed.closeCode == code)
      #expect(client.failure.kind == .closed)
      #expect(client.failure.closeCode == Int(code))
    case .failed(let code):
      #expect(observed.closeCode == code)
      #expect(client.failure.kind == .protocolViolation)
      #expect(client.failure.detail.hasSuffix("closed with \(code)"))
    }
  }

  @Test func thereAreCasesOfEveryCategoryAndEachHasANumberOfItsOwn() {
    let all = ConformanceCase.all
    #expect(all.count >= 200)
    #expect(Set(all.map(\.id)).count == all.count)
    let categories = Set(all.map { $0.id.split(separator: ".")[0] })
    #expect(categories == ["1", "2", "3", "4", "5", "6", "7", "9", "12", "13"])
  }
}

extension ConformanceCase.Message {
  fileprivate var isText: Bool { if case .text = self { true } else { false } }
}

/// What came to one side.
private struct ConformanceClient {
  var delivered: [ConformanceCase.Message]
  var failure: ConnectionFailure

  /// Dials, sends each text back, and gives all that was delivered when the connection has ended.
  static func start(
    port: Int, eventBytesMax: Int
  ) throws -> EventLoopFuture<ConformanceClient> {
    let endpoint = UpstreamEndpoint(
      address: try UpstreamAddress(url: "ws://127.0.0.1:\(port)/"), headers: [], tls: nil)
    var options = UpstreamHandler.Options()
    options.eventBytesMax = eventBytesMax
    options.connectTimeout = Deadline.usual
    let chosen = options
    let loop = EpollLoop.shared
    return loop.flatSubmit {
      let ended = loop.makePromise(of: ConformanceClient.self)
      let delegate = EchoingDelegate { delivered, failure in
        ended.succeed(ConformanceClient(delivered: delivered, failure: failure))
      }
      delegate.handler = UpstreamDialer(eventLoop: loop).dial(
        ConnectionNumber(1), to: endpoint, options: chosen, delegate: delegate)
      return ended.futureResult
    }
  }
}

private final class EchoingDelegate: UpstreamHandlerDelegate {
  var handler: UpstreamHandler?
  private var delivered: [ConformanceCase.Message] = []
  private let ended: ([ConformanceCase.Message], ConnectionFailure) -> Void

  init(_ ended: @escaping ([ConformanceCase.Message], ConnectionFailure) -> Void) {
    self.ended = ended
  }

  func upstreamReceived(
    _ connection: ConnectionNumber, _ message: UnsafeRawBufferPointer, isBinary: Bool
  ) {
    delivered.append(isBinary ? .binary(Array(message)) : .text(Array(message)))
    if !isBinary { handler?.send(OutboundMessage(ByteBuffer(bytes: message)), token: 1) }
  }

  func upstreamClosed(_ connection: ConnectionNumber, _ failure: ConnectionFailure) {
    handler = nil
    ended(delivered, failure)
  }

  func upstreamOpened(_ connection: ConnectionNumber, _ facts: UpgradeFacts) {}
  func upstreamPong(_ connection: ConnectionNumber, pingID: UInt64) {}
  func upstreamReadCompleted(_ connection: ConnectionNumber) {}
  func upstreamHandedOver(_ connection: ConnectionNumber, token: UInt64) {}
}
