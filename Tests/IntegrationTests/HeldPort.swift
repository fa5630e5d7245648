import Glibc
import TestSupport

/// A free port that nobody else gets while a server on it is away.
///
/// Bound, but not listened on: connections are refused, the kernel gives it to nobody who asks for
/// any port, and whoever asks for this very one with `SO_REUSEADDR` gets it (socket(7)).
final class HeldPort: Sendable {
  struct Failure: Error {}

  let number: Int
  private let descriptor: Int32

  init() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var isOn: Int32 = 1
    setsockopt(
      descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
    let bound = LoopbackPort.withAddress(0) { address, size in
      var size = size
      return bind(descriptor, address, size) == 0 ? getsockname(descriptor, address, &size) : -1
    }
    guard bound.result == 0 else {
      close(descriptor)
      throw Failure()
    }
    self.descriptor = descriptor
    number = bound.port
  }

  deinit { close(descriptor) }
}
