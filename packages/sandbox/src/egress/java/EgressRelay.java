// Java has no way to log in at a proxy that a variable could name, and its clients differ in what they try. So each JVM of a
// sandbox gets a relay of its own on loopback, which logs in for it: every client that goes by the JVM's proxy properties, and so
// by this relay, reaches what the sandbox may reach. Loaded by JAVA_TOOL_OPTIONS; made for Java 8 and later.
//  1. Whatever is wrong here, the program runs: without a proxy to log in at, or with proxies of its own, it is left alone.
//  2. One request per connection in the clear, because each of them has to log in; a tunnel is opened once.
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.instrument.Instrumentation;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Locale;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

public final class EgressRelay implements Runnable {
    private static final int MAX_HEAD_BYTES = 64 * 1024;
    private static final String NOT_PROXIED = "localhost|127.*|[::1]";
    private static final byte[] HEAD_END = {'\r', '\n', '\r', '\n'};

    private final Socket client;
    private final URI proxy;

    private EgressRelay(Socket client, URI proxy) {
        this.client = client;
        this.proxy = proxy;
    }

    /** `trustStore`: a file of certificates, used where it exists and the program names none. */
    public static void premain(String trustStore, Instrumentation instrumentation) {
        try {
            trust(trustStore);
            String named = System.getenv("HTTPS_PROXY");
            if (named == null || System.getProperty("https.proxyHost") != null) return;
            URI proxy = URI.create(named);
            if (proxy.getHost() == null || proxy.getUserInfo() == null) return;
            ServerSocket server = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
            background(() -> accept(server, proxy)).start();
            for (String scheme : new String[] {"http", "https"}) {
                System.setProperty(scheme + ".proxyHost", "127.0.0.1");
                System.setProperty(scheme + ".proxyPort", String.valueOf(server.getLocalPort()));
            }
            if (System.getProperty("http.nonProxyHosts") == null)
                System.setProperty("http.nonProxyHosts", NOT_PROXIED);
            // Maven since 3.9 looks at the properties above only when it is told to.
            System.setProperty("aether.connector.http.useSystemProperties", "true");
        } catch (Exception problem) {
            System.err.println("capstan: this JVM has no way out of the sandbox: " + problem);
        }
    }

    private static void trust(String path) {
        if (path == null || System.getProperty("javax.net.ssl.trustStore") != null) return;
        if (!new File(path).canRead()) return;
        System.setProperty("javax.net.ssl.trustStore", path);
        System.setProperty("javax.net.ssl.trustStoreType", "JKS");
    }

    private static Thread background(Runnable work) {
        Thread thread = new Thread(work, "capstan-egress");
        thread.setDaemon(true);
        return thread;
    }

    private static void accept(ServerSocket server, URI proxy) {
        while (true) {
            try {
                background(new EgressRelay(server.accept(), proxy)).start();
            } catch (IOException closed) {
                return;
            }
        }
    }

    @Override
    public void run() {
        try (Socket from = client) {
            byte[] head = readHead(from.getInputStream());
            if (head == null) return;
            try (Socket to = connect()) {
                to.getOutputStream().write(loggedIn(head));
                Thread answers = background(() -> pump(to, from));
                answers.start();
                pump(from, to);
                answers.join();
            }
        } catch (IOException | InterruptedException gone) {
            // Whoever waits for an answer sees the connection end.
        }
    }

    private Socket connect() throws IOException {
        boolean sealed = "https".equals(proxy.getScheme());
        int port = proxy.getPort() > 0 ? proxy.getPort() : sealed ? 443 : 80;
        if (!sealed) {
            Socket plain = new Socket(java.net.Proxy.NO_PROXY);
            plain.connect(new java.net.InetSocketAddress(proxy.getHost(), port));
            return plain;
        }
        SSLSocket socket = (SSLSocket) SSLSocketFactory.getDefault().createSocket(proxy.getHost(), port);
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        return socket;
    }

    /** Up to and with the empty line; null: there was none. */
    private static byte[] readHead(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        int matched = 0;
        while (matched < HEAD_END.length) {
            int next = in.read();
            if (next < 0 || head.size() >= MAX_HEAD_BYTES) return null;
            head.write(next);
            matched = next == HEAD_END[matched] ? matched + 1 : next == '\r' ? 1 : 0;
        }
        return head.toByteArray();
    }

    private byte[] loggedIn(byte[] head) {
        String[] lines = new String(head, StandardCharsets.ISO_8859_1).split("\r\n");
        boolean once = !lines[0].startsWith("CONNECT ") && !has(lines, "upgrade");
        StringBuilder text = new StringBuilder(lines[0]).append("\r\n");
        for (int i = 1; i < lines.length; i++) {
            String name = nameOf(lines[i]);
            if (name.equals("proxy-authorization") || name.equals("proxy-connection")) continue;
            if (once && (name.equals("connection") || name.equals("keep-alive"))) continue;
            text.append(lines[i]).append("\r\n");
        }
        byte[] login = proxy.getUserInfo().getBytes(StandardCharsets.UTF_8);
        text.append("Proxy-Authorization: Basic ").append(Base64.getEncoder().encodeToString(login)).append("\r\n");
        if (once) text.append("Connection: close\r\n");
        return text.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
    }

    private static boolean has(String[] lines, String wanted) {
        for (String line : lines) if (nameOf(line).equals(wanted)) return true;
        return false;
    }

    private static String nameOf(String line) {
        int colon = line.indexOf(':');
        return colon < 0 ? "" : line.substring(0, colon).trim().toLowerCase(Locale.ROOT);
    }

    /** Until the one side ends; the other is told so. */
    private static void pump(Socket from, Socket to) {
        byte[] buffer = new byte[16 * 1024];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) out.write(buffer, 0, count);
            to.shutdownOutput();
        } catch (IOException | UnsupportedOperationException ended) {
            end(from);
            end(to);
        }
    }

    private static void end(Socket socket) {
        try {
            socket.close();
        } catch (IOException ended) {
            // It is over already.
        }
    }
}
