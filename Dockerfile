# Fairlead as an image, and the little application of docs/compose.md.
#
#   docker build --target fairlead -t fairlead:local .
#   docker build --target demo -t fairlead-demo:local .
#
# Both run as nobody in particular (65532) and write nowhere but to /data; their root may be read-only.

FROM python:3.11-slim-bookworm AS python
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY compose/answers.sh /answers.sh

FROM python AS demo
COPY compose/app.py /app.py
USER 65532:65532
CMD ["python", "-SE", "/app.py"]

# Exact versions of the whole tree, also of what builds the package. Compiled here, since nothing is written at run time.
FROM python AS build
WORKDIR /build
COPY constraints.txt ./
ENV PIP_CONSTRAINT=/build/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv --without-pip /opt/fairlead
COPY pyproject.toml README.md LICENSE ./
COPY filters/health.wasm filters/
COPY xds xds
RUN python -m pip --python /opt/fairlead/bin/python install --compile .

FROM python AS fairlead
COPY --from=build /opt/fairlead /opt/fairlead
RUN install -d -o 65532 -g 65532 /data
ENV PATH=/opt/fairlead/bin:$PATH
USER 65532:65532
WORKDIR /data
EXPOSE 15080 15010
HEALTHCHECK --interval=2s --timeout=10s --retries=5 --start-period=20s CMD ["bash", "/answers.sh", "15080", "/readyz"]
ENTRYPOINT ["fairlead"]
CMD ["serve", "--data-dir", "/data", "--api", "0.0.0.0:15080", "--ads", "0.0.0.0:15010"]
