import Glibc
import HotlineCore

/// Passes lines to the daemon and the daemon's lines back: the poll loop of `send`.
///
/// Either direction stops reading while what it has read cannot be written on, and neither waits
/// for the other.
struct LineRelay {
  /// Bytes of each direction that may wait to be written.
  private let waitingBytesMax: Int
  private let input: Int32
  private let inputName: String
  private let socket: DaemonSocket
  private var upwards = ByteQueue()
  private var downwards = ByteQueue()
  private var output = OutputWriter()
  private var requestLines = LineObserver()
  private var answerLines = LineObserver()
  private var tally = OutcomeTally()
  private var isInputOver = false
  /// Everything was sent and the daemon knows it.
  private var isSendingOver = false
  /// The daemon takes no more, though there is more.
  private var isSendingRefused = false
  private var isReceivingOver = false

  init(input: Int32, inputName: String, socket: DaemonSocket, waitingBytesMax: Int = 1 << 18) {
    self.input = input
    self.inputName = inputName
    self.socket = socket
    self.waitingBytesMax = waitingBytesMax
  }

  /// Runs until the daemon has said its last.
  ///
  /// - Throws: the worst outcome of a request, if it was not the best.
  mutating func run() throws(CommandFailure) {
    while !(isReceivingOver && output.isEmpty) { try step() }
    answerLines.finish { tally.lineReceived($0, isWhole: $1) }
    guard isSendingOver, tally.openCount == 0 else { throw earlyEnd }
    guard tally.status == .completed else { throw CommandFailure(tally.status, nil) }
  }

  private var earlyEnd: CommandFailure {
    let status = tally.status(with: .retryLater)
    // Refused as a whole: the reason is among the lines.
    guard status == .retryLater || tally.openCount > 0 else { return CommandFailure(status, nil) }
    let what =
      switch tally.openCount {
      case 0: "before the end of the input; send the rest again"
      case 1: "with 1 request unfinished; whether the server acted on it \(Self.risk)"
      default:
        "with \(tally.openCount) requests unfinished; whether the server acted on them \(Self.risk)"
      }
    return CommandFailure(status, "hotlined closed the connection \(what)")
  }

  private static let risk = "is not known, so trying again may be billed twice"

  private mutating func step() throws(CommandFailure) {
    let readsInput = !isInputOver && !isReceivingOver && upwards.count < waitingBytesMax
    var slots = [
      Polling.slot(readsInput ? input : -1, POLLIN), output.slot, socketSlot,
    ]
    Polling.wait(for: &slots)
    if slots[0].isReadable { try readInput() }
    if slots[1].isWritable { try output.writeSome() }
    if slots[1].isBroken { throw CommandFailure(.brokenPipe, nil) }
    if slots[2].isReadable, output.count < waitingBytesMax { receive() }
    if slots[2].isWritable { send() }
    if isInputOver, upwards.isEmpty, !isSendingOver, !isSendingRefused {
      isSendingOver = true
      socket.endSending()
    }
  }

  /// Left out while nothing is wanted of it: see ``AskExchange``.
  private var socketSlot: pollfd {
    var events: Int32 = 0
    if !isReceivingOver, output.count < waitingBytesMax { events |= POLLIN }
    if !isReceivingOver, !upwards.isEmpty { events |= POLLOUT }
    return Polling.slot(events == 0 ? -1 : socket.descriptor, events)
  }

  private mutating func readInput() throws(CommandFailure) {
    var chunk = ByteQueue()
    isInputOver = try !InputReader.read(input, into: &chunk, name: inputName)
    chunk.withUnread { bytes in requestLines.observe(bytes) { tally.lineSent($0, isWhole: $1) } }
    if isInputOver { requestLines.finish { tally.lineSent($0, isWhole: $1) } }
    chunk.withUnread { upwards.append($0) }
  }

  private mutating func send() {
    guard !upwards.isEmpty, !socket.send(&upwards) else { return }
    // What the daemon said before it hung up is still to be read.
    isSendingRefused = true
    isInputOver = true
    upwards.removeAll()
  }

  private mutating func receive() {
    isReceivingOver = socket.receive(into: &downwards) == .ended
    downwards.withUnread { bytes in
      answerLines.observe(bytes) { tally.lineReceived($0, isWhole: $1) }
    }
    output.append(&downwards)
  }
}
