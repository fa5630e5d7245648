import Foundation

/// A real proxy on a free port of 127.0.0.1, which ends with the value.
package final class ProxyProcess: Sendable {
  /// What it wants of its clients.
  package static let user = "ann"
  package static let password = "hunter2-of-the-proxy"

  package let port: Int
  private let process: ChildProcess
  private let directory: TemporaryDirectory
  /// What it stands before.
  private let behind: ProxyProcess?

  private init(
    in directory: TemporaryDirectory, behind: ProxyProcess? = nil,
    _ start: (_ port: Int) throws -> ChildProcess
  ) throws {
    self.directory = directory
    self.behind = behind
    (process, port) = try LoopbackPort.start(start)
  }

  /// tinyproxy: CONNECT, with Basic authentication.
  package static func http(
    isProtected: Bool = false, connectPort: Int? = nil
  ) throws -> ProxyProcess {
    let directory = try TemporaryDirectory()
    return try ProxyProcess(in: directory) { port in
      let file = try directory.write(
        "tinyproxy.conf",
        """
        Port \(port)
        Listen 127.0.0.1
        Timeout 600
        LogFile "\(directory("log"))"
        LogLevel Info
        \(isProtected ? "BasicAuth \(user) \(password)" : "")
        \(connectPort.map { "ConnectPort \($0)" } ?? "")
        """)
      return try ChildProcess(Requires.tool("tinyproxy"), ["-d", "-c", file])
    }
  }

  /// stunnel before tinyproxy: a proxy that is spoken to by TLS.
  package static func https(
    certificate: String, key: String, isProtected: Bool = false
  ) throws -> ProxyProcess {
    let directory = try TemporaryDirectory()
    let plain = try http(isProtected: isProtected)
    let certificateFile = try directory.write("certificate.pem", certificate)
    let keyFile = try directory.write("key.pem", key)
    return try ProxyProcess(in: directory, behind: plain) { port in
      let file = try directory.write(
        "stunnel.conf",
        """
        foreground = yes
        pid =
        output = \(directory("log"))
        [proxy]
        accept = 127.0.0.1:\(port)
        connect = 127.0.0.1:\(plain.port)
        cert = \(certificateFile)
        key = \(keyFile)
        """)
      return try ChildProcess(Requires.tool("stunnel4"), [file])
    }
  }

  /// microsocks: SOCKS 5, with user and password.
  package static func socks(isProtected: Bool = false) throws -> ProxyProcess {
    try ProxyProcess(in: TemporaryDirectory()) { port in
      let credentials = isProtected ? ["-u", user, "-P", password] : []
      return try ChildProcess(
        Requires.tool("microsocks"), ["-i", "127.0.0.1", "-p", "\(port)"] + credentials)
    }
  }

  /// `SCHEME://[USER:PASSWORD@]127.0.0.1:PORT`
  package func url(_ scheme: String, password: String? = nil, host: String = "127.0.0.1") -> String
  {
    let credentials = password.map { "\(Self.user):\($0)@" } ?? ""
    return "\(scheme)://\(credentials)\(host):\(port)"
  }

  /// What it has written about its work: to its log, else to standard error.
  package var log: String {
    let file = [behind?.directory("log"), directory("log")].compactMap(\.self).compactMap {
      try? String(contentsOfFile: $0, encoding: .utf8)
    }
    return file.joined() + process.standardError.text
  }
}
