import COpenSSL
import Glibc

extension TLSSettings {
  /// Where the system's trust store is: a file and directories, by the environment or as OpenSSL
  /// was built (SSL_CTX_set_default_verify_paths(3)). Not all of them need to be there. Any thread.
  package static var systemTrustPaths: [String] {
    let file = path(X509_get_default_cert_file_env(), X509_get_default_cert_file())
    let directories = path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())
    return [file] + directories.split(separator: ":").map(String.init)
  }

  private static func path(
    _ variable: UnsafePointer<CChar>?, _ fallback: UnsafePointer<CChar>?
  ) -> String {
    let value = variable.flatMap { getenv($0) }.map { UnsafePointer($0) } ?? fallback
    return value.map { String(cString: $0) } ?? ""
  }
}
