import Glibc
import HotlineCore
import NIOCore
import TestSupport

@testable import HotlineTransport

/// A listener on a real Unix socket; each client's delegate is in the test's hands.
final class LocalSocketServer: Sendable {
  typealias Answer = @Sendable (ClientHandler, RecordingClientDelegate.Call) -> Void

  /// All mutable state, on the loop.
  final class State {
    let delegate = RecordingClientDelegate()
    let buffers = BufferPool()
    let ledger = MemoryLedger(limit: 1 << 30)
    var client: ClientHandler?
  }

  let directory: String
  private let loop = EpollLoop()
  private let state: NIOLoopBoundBox<State>
  private let listener: NIOLoopBound<StreamListener>

  init(_ limits: ClientHandlerLimits = .init(), answer: @escaping Answer) throws {
    var template = Array("/tmp/hotline-XXXXXX".utf8CString)
    directory = String(cString: mkdtemp(&template)!)
    let loop = loop
    let state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: loop)
    self.state = state
    let descriptor = try UnixSocket.bind(directory + "/s")
    listener = try loop.submit {
      state.value.delegate.onCall = answer
      let listener = try StreamListener(descriptor: descriptor, on: loop, backlog: 16) { _ in
        let state = state.value
        let client = ClientHandler(
          number: ClientNumber(1), limits: limits, buffers: state.buffers, ledger: state.ledger,
          delegate: state.delegate)
        state.client = client
        return client
      }
      return NIOLoopBound(listener, eventLoop: loop)
    }.wait()
  }

  func connect() throws -> UnixSocket { try UnixSocket(connectedTo: directory + "/s") }

  func onLoop<Result: Sendable>(_ body: @escaping @Sendable (State) -> Result) throws -> Result {
    try loop.submit { [state] in body(state.value) }.wait()
  }

  /// Waits until the loop's state is as wished; false if it never is.
  func waits(until condition: @escaping @Sendable (State) -> Bool) throws -> Bool {
    let deadline = Deadline()
    while try !onLoop(condition) {
      if deadline.isReached { return false }
      usleep(2000)
    }
    return true
  }

  deinit {
    try? loop.submit { [listener] in listener.value.close() }.wait()
    unlink(directory + "/s")
    rmdir(directory)
    loop.shutdownGracefully { _ in }
  }
}
