package dev.example.billing;

import java.io.File;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.net.URL;
import java.nio.file.Files;
import java.sql.SQLException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** Invoices over HTTP. */
public class InvoiceServlet extends HttpServlet {
    private static final Logger LOG = LogManager.getLogger(InvoiceServlet.class);

    private final transient InvoiceStore store;

    public InvoiceServlet(InvoiceStore store) {
        this.store = store;
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String customer = request.getParameter("customer");
        LOG.info("invoices of {}", customer);
        response.setHeader("Access-Control-Allow-Origin", "*");
        try {
            response.getWriter().println("<h1>Invoices of " + request.getParameter("customer") + "</h1>");
            response.getWriter().println(store.numbersOf(customer));
        } catch (SQLException error) {
            response.sendError(500);
        }
    }

    /** Takes up a run that was interrupted. */
    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
        ObjectInputStream input = new ObjectInputStream(request.getInputStream());
        try {
            Object run = input.readObject();
            response.getWriter().println(run);
        } catch (ClassNotFoundException error) {
            response.sendError(400);
        }
    }

    void archived(HttpServletRequest request, HttpServletResponse response) throws IOException {
        File file = new File("/var/lib/billing/archive", request.getParameter("name"));
        Files.copy(file.toPath(), response.getOutputStream());
    }

    void print(HttpServletRequest request) throws IOException {
        Runtime.getRuntime().exec("lp " + request.getParameter("file"));
    }

    void logo(HttpServletRequest request, HttpServletResponse response) throws IOException {
        URL url = new URL(request.getParameter("url"));
        url.openStream().transferTo(response.getOutputStream());
    }

    void leave(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.sendRedirect(request.getParameter("to"));
    }
}
