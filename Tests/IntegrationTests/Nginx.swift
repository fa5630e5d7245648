import Foundation
import TestSupport

/// nginx as a TLS terminator.
enum Nginx {
  /// Starts it on a free port before a plain server on this machine.
  static func start(
    in directory: TemporaryDirectory, certificate: String, key: String, upstreamPort: Int
  ) throws -> (process: ChildProcess, port: Int) {
    // It cannot choose a port itself, and somebody may take the free one first.
    for _ in 1...5 {
      let port = try freePort()
      let file = try directory.write(
        "nginx.conf", configuration(directory, certificate, key, port, upstreamPort))
      let process = try ChildProcess(
        Requires.tool("nginx"), ["-p", directory.path, "-c", file, "-e", directory("nginx.log")])
      let isListening: Bool? = try? poll(for: "nginx", within: .seconds(20)) {
        if process.end() != nil { return false }
        return canConnect(port) ? true : nil
      }
      if isListening == true { return (process, port) }
    }
    let log = (try? String(contentsOfFile: directory("nginx.log"), encoding: .utf8)) ?? ""
    throw TestFailure("nginx does not start: \(log)")
  }

  private static func configuration(
    _ directory: TemporaryDirectory, _ certificate: String, _ key: String, _ port: Int,
    _ upstreamPort: Int
  ) -> String {
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map { "\($0)_temp_path \(directory("tmp-\($0)"));" }.joined(separator: "\n    ")
    return """
      daemon off;
      master_process off;
      pid \(directory("nginx.pid"));
      error_log \(directory("nginx.log")) info;
      events {}
      http {
        access_log off;
        \(paths)
        server {
          listen 127.0.0.1:\(port) ssl;
          ssl_certificate \(certificate);
          ssl_certificate_key \(key);
          location / {
            proxy_pass http://127.0.0.1:\(upstreamPort);
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_read_timeout 300s;
          }
        }
      }
      """
  }

  private static func withAddress(
    _ port: Int, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Int32
  ) -> (result: Int32, port: Int) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return (result, Int(in_port_t(bigEndian: address.sin_port)))
  }

  private static func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    let bound = withAddress(0) { address, size in
      var size = size
      guard bind(descriptor, address, size) == 0 else { return -1 }
      return getsockname(descriptor, address, &size)
    }
    guard bound.result == 0 else { throw TestFailure("no free port") }
    return bound.port
  }

  private static func canConnect(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    return withAddress(port) { connect(descriptor, $0, $1) }.result == 0
  }
}
