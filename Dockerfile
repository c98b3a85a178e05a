# Two images from one file.
#   the course:  docker build --tag course .
#                docker run --rm -p 8888:8888 course       (the address is printed)
#   the grader:  docker build --tag course-grader --target grader .
#                then c.CourseGrade.image = "course-grader" in nbgrader_config.py
# We had no registry to pull python:3.12-slim from, so neither was built. The grader's tests
# run in a container whose Python is this machine's.
FROM python:3.12-slim AS packages
WORKDIR /course
COPY pyproject.toml README.md constraints.txt LICENSE* ./
COPY course_lib course_lib
COPY course_grader course_grader

# what a worker needs; the course folder is mounted
FROM packages AS grader
RUN pip install --no-cache-dir '.[grade]' --constraint constraints.txt

FROM packages AS course
RUN pip install --no-cache-dir --editable . --constraint constraints.txt
COPY . .
RUN useradd --create-home student && chown -R student /course
USER student
ENV JUPYTER_CONFIG_PATH=/course/.jupyter
EXPOSE 8888
CMD python -m course_lib.landing && jupyter lab --ip=0.0.0.0 --no-browser START.md
