import Glibc

/// What waits to be written to one of the program's own descriptors.
///
/// The descriptors stay in the mode in which they came: O_NONBLOCK would change them for the shell
/// and everybody else who shares them. ``writeSome()`` therefore writes no more at once than a
/// pipe takes without blocking after poll(2) has named it writable (pipe(7): PIPE_BUF bytes).
struct OutputWriter {
  let descriptor: Int32
  private let writeBytesMax: Int
  private var pending = ByteQueue()

  init(descriptor: Int32 = STDOUT_FILENO) {
    self.descriptor = descriptor
    var status = stat()
    let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    writeBytesMax = isFile ? 1 << 20 : 4096
  }

  var isEmpty: Bool { pending.isEmpty }
  var count: Int { pending.count }

  mutating func append(_ text: String) { pending.append(Array(text.utf8)) }
  mutating func append(_ bytes: some Collection<UInt8>) { pending.append(bytes) }
  mutating func append(_ bytes: inout ByteQueue) {
    bytes.withUnread { pending.append($0) }
    bytes.removeAll()
  }

  /// The slot to poll: for room if something waits, always for the reader's leaving.
  var slot: pollfd { isEmpty ? Polling.slot(descriptor) : Polling.slot(descriptor, POLLOUT) }

  /// Writes once; call it when ``slot`` is writable.
  ///
  /// - Throws: `.brokenPipe` without a word if nobody reads any more, `.failed` for other errors.
  mutating func writeSome() throws(CommandFailure) {
    guard !pending.isEmpty else { return }
    let written = pending.withUnread {
      write(descriptor, $0.baseAddress, min($0.count, writeBytesMax))
    }
    guard written < 0 else { return pending.drop(written) }
    switch errno {
    case EINTR, EAGAIN: return
    case EPIPE: throw CommandFailure(.brokenPipe, nil)
    default:
      throw CommandFailure(
        .failed, "cannot write to standard output: \(systemMessage(errno)); make room for it")
    }
  }

  /// Writes all that waits, however long that takes.
  mutating func writeAll() throws(CommandFailure) {
    while !isEmpty {
      var slots = [slot]
      Polling.wait(for: &slots)
      // A closed descriptor is reported as POLLNVAL: the write then says what is wrong.
      if slots[0].revents != 0 { try writeSome() }
    }
  }
}
